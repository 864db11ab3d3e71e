// SPDX-License-Identifier: MIT
//
// ref <case>: leaves the event loop to what a Connection on descriptor 3 keeps alive. Prints "started", then a line for
// each event, the natural end included.
import { writeSync } from 'node:fs';

import { Condition, Connection, Event, Lock, Pipe, wait } from 'node-multiprocessing';

import { big } from '../support/connection-calls.js';

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

const connection = Connection.fromFd<string>(3, { exitFlushMs: 60_000 });
const received = (value: unknown): void => {
  say(`received ${JSON.stringify(value)}`);
};
const failed = (error: unknown): void => {
  say(`failed ${(error as { code: string }).code}`);
};

const cases: Record<string, () => unknown> = {
  idle() {
    Pipe();
  },
  async 'idle after use'() {
    received(await connection.recv());
  },
  recv() {
    connection.recv().then(received, failed);
  },
  poll() {
    connection.poll(null).then(received, failed);
  },
  wait() {
    wait([connection]).then((ready) => {
      received(ready.length);
    }, failed);
  },
  'wait for the time to pass'() {
    wait([], 50).then((ready) => {
      received(ready.length);
    }, failed);
  },
  /** The other timer that keeps the process alive fires long after the timeout. */
  'unref recv that times out'() {
    const much = setTimeout(() => undefined, 3_600_000);
    connection
      .unref()
      .recv({ timeout: 50 })
      .then(received, failed)
      .finally(() => {
        clearTimeout(much);
      });
  },
  'unref recv'() {
    connection.unref().recv().then(received, failed);
  },
  'unref poll'() {
    connection.unref().poll(null).then(received, failed);
  },
  'unref wait'() {
    wait([connection.unref()]).then(received, failed);
  },
  'unref recv with a timeout'() {
    connection.unref().recv({ timeout: 3_600_000 }).then(received, failed);
  },
  'recv, then unref'() {
    connection.recv().then(received, failed);
    connection.unref();
  },
  'recv with a timeout, then unref'() {
    connection.recv({ timeout: 3_600_000 }).then(received, failed);
    connection.unref();
  },
  'unref recv, then ref'() {
    connection.unref().recv().then(received, failed);
    connection.ref();
  },
  'ref and unref of a dup()'() {
    connection.dup().unref().recv().then(received, failed);
    connection.ref();
  },
  'one of two unref'() {
    const other = connection.dup().unref();
    other.recv().then(received, failed);
    connection.recv().then(received, failed);
  },
  'unref acquire of a taken Lock'() {
    const lock = new Lock().unref();
    lock.acquireSync();
    lock.acquire().then(received, failed);
  },
  'unref wait of a Condition'() {
    const condition = new Condition().unref();
    condition.withLock(() => condition.wait()).then(received, failed);
  },
  'unref wait of an Event'() {
    new Event().unref().wait().then(received, failed);
  },
  'wait of an Event, until a message comes'() {
    const event = new Event().unref().ref();
    event.wait().then(received, failed);
    connection
      .unref()
      .recv()
      .then(() => event.set(), failed);
  },
  send() {
    connection.sendBytes(big).then(() => {
      say('sent');
    }, failed);
  },
  'unref send'() {
    connection
      .unref()
      .sendBytes(big)
      .catch(() => undefined);
  },
  'send, then close'() {
    connection.sendBytes(big).then(() => {
      say('sent');
    }, failed);
    connection.close();
  },
  async 'recv after a close() while decoding'() {
    const serialization = {
      serialize: (value: unknown) => Buffer.from(String(value)),
      deserialize(bytes: Uint8Array) {
        near.close();
        return bytes.length;
      },
    };
    const [near, far] = Pipe<number>(true, { serialization });
    const decoded = near.recv().catch(() => undefined);
    await far.send(1);
    await decoded;
    connection.recv().then(received, failed);
  },
  'recv that timed out'() {
    connection.recv({ timeout: 1 }).then(received, failed);
  },
};

process.on('beforeExit', () => {
  say('natural end');
});
say('started');
cases[process.argv[2] as string]?.();
