// SPDX-License-Identifier: MIT
//
// fair <case>: keeps descriptor 3 busy and prints as JSON how many turns the event loop had meanwhile. It runs in a
// process of its own, so that the test's watchdog can end a loop that starves its timers.
import { Connection, wait } from 'node-multiprocessing';

import type { AnyConnection } from '../../helpers/channels.js';

const connection = Connection.fromFd(3) as AnyConnection;

/** Counts the turns of the event loop, and the most that was done in one turn. */
class Turns {
  count = 0;
  most = 0;
  #done = 0;
  #stopped = false;

  start(): void {
    setImmediate(() => {
      this.count++;
      this.most = Math.max(this.most, this.#done);
      this.#done = 0;
      if (!this.#stopped) this.start();
    });
  }

  done(bytes: number): void {
    this.#done += bytes;
  }

  stop(): void {
    this.#stopped = true;
  }
}

/** Repeats `step` until fifty timers have fired. */
async function untilTimersRan(step: () => Promise<unknown>): Promise<object> {
  let timers = 0;
  const timer = setInterval(() => timers++, 1);
  while (timers < 50) await step();
  clearInterval(timer);
  return { timers };
}

async function count(work: (turns: Turns) => Promise<unknown>): Promise<object> {
  const turns = new Turns();
  turns.start();
  await work(turns);
  turns.stop();
  return { turns: turns.count, most: turns.most };
}

const MIB = 1024 * 1024;

const cases: Record<string, () => Promise<object>> = {
  recv: () => untilTimersRan(() => connection.recvBytes()),
  send: () => untilTimersRan(() => connection.sendBytes(Buffer.alloc(100))),
  // The loop that CPython's users write: look for a message, and do something else if there is none.
  poll: () => untilTimersRan(() => connection.poll()),
  wait: () => untilTimersRan(() => wait([connection])),
  'recv with a timeout of 0': () =>
    untilTimersRan(() => connection.recvBytes(undefined, { timeout: 0 }).catch(() => undefined)),
  async iterate() {
    const iterator = (async function* () {
      for (;;) yield await connection.recvBytes();
    })();
    return untilTimersRan(() => iterator.next());
  },
  'large recv': () => count(() => connection.recvBytes()),
  'large send': () => count(() => connection.sendBytes(Buffer.alloc(64 * MIB))),
  'many sends': () =>
    count((turns) => {
      const message = Buffer.alloc(64 * 1024);
      const send = (): Promise<void> =>
        connection.sendBytes(message).then(() => {
          turns.done(message.length);
        });
      return Promise.all(Array.from({ length: 256 }, send));
    }),
  'many small sends': () =>
    count((turns) => {
      const message = Buffer.alloc(1024);
      const send = (): Promise<void> =>
        connection.sendBytes(message).then(() => {
          turns.done(message.length);
        });
      return Promise.all(Array.from({ length: 16 * 1024 }, send));
    }),
  'many receives': () =>
    count((turns) => {
      const receive = (): Promise<void> =>
        connection.recvBytes().then((bytes: Buffer) => {
          turns.done(bytes.length);
        });
      return Promise.all(Array.from({ length: 32 * 1024 }, receive));
    }),
};

const result = await cases[process.argv[2] as string]?.();
process.stdout.write(`${JSON.stringify(result)}\n`);
connection.close({ discard: true });
