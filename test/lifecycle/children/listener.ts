// SPDX-License-Identifier: MIT
//
// listener <case> [argument]: a Listener or a Client in a process that ends, gets signals, or runs out of something.
// Prints JSON lines.
import { closeSync, openSync, readdirSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

import { Client, ClientSync, Listener } from 'node-multiprocessing';

import { turns } from '../../helpers/assertions.js';

const [, , name = '', argument = ''] = process.argv;

function say(value: unknown): void {
  writeSync(1, `${JSON.stringify(value)}\n`);
}

function codeOf(error: unknown): string {
  return (error as { code: string }).code;
}

const collect = (globalThis as unknown as { gc?: () => void }).gc;

const cases: Record<string, () => unknown> = {
  /** A callback that does nothing. */
  idle() {
    say(new Listener().address);
  },
  pending() {
    const listener = new Listener();
    say(listener.address);
    listener.accept().then(
      (connection) => {
        connection.close();
        say('accepted');
      },
      (error: unknown) => {
        say(codeOf(error));
      },
    );
  },
  'unref pending'() {
    const listener = new Listener();
    say(listener.address);
    void listener.unref().accept();
  },
  /** A peer that does not answer does not keep the process alive. */
  async 'silent peer'() {
    const listener = new Listener({ authkey: Buffer.from('key') });
    say(listener.address);
    await Client(listener.address);
    await listener.accept({ timeout: 0 }).catch(() => undefined);
  },
  /** Waits for the Listener with the first use of the package. */
  async client() {
    say('started');
    const connection = await Client(argument, { authkey: Buffer.from('key') });
    say(await connection.recv());
  },
  exit() {
    say(new Listener().address);
    process.exit(3);
  },
  throws() {
    say(new Listener().address);
    throw new Error('on purpose');
  },
  at() {
    const listener = new Listener({ address: argument });
    say(listener.address);
    void listener.accept();
  },
  /** Calls acceptSync, with a listener for the signal or without. */
  acceptSync() {
    if (argument === 'listening') process.on('SIGUSR2', () => undefined);
    const listener = new Listener();
    say(listener.address);
    for (;;) {
      try {
        listener.acceptSync().close();
        break;
      } catch (error) {
        say(codeOf(error));
      }
    }
    listener.close();
    say('accepted');
  },
  accept() {
    let signals = 0;
    process.on('SIGUSR2', () => {
      say(++signals);
    });
    cases['pending']?.();
  },
  clientSync() {
    process.on('SIGUSR2', () => undefined);
    try {
      ClientSync(argument, { authkey: Buffer.from('key') });
    } catch (error) {
      say(codeOf(error));
    }
  },
  /** A worker that is ended while it blocks in accept or waits for one. */
  async worker() {
    for (const call of ['acceptSync', 'accept']) {
      const program = `
        const { parentPort } = require('node:worker_threads');
        import(${JSON.stringify(import.meta.resolve('node-multiprocessing'))}).then(({ Listener }) => {
          const listener = new Listener({ address: '\\0mp-test-worker-${process.pid}' });
          parentPort.postMessage('listening');
          listener.${call}();
        });`;
      const worker = new Worker(program, { eval: true });
      await new Promise((resolve) => worker.once('message', resolve));
      await worker.terminate();
    }
    // The socket of the workers is closed, so the address is free.
    const listener = new Listener({ address: `\0mp-test-worker-${process.pid}` });
    listener.close();
    say('free');
  },
  async collected() {
    const dropped = (() => new Listener().address)();
    say(dropped);
    const folder = process.env['TMPDIR'] ?? '';
    while (readdirSync(folder).length > 0) {
      collect?.();
      await turns(1);
    }
    say('removed');
  },
  /** An accept without a free descriptor. The test sets the limit. */
  async exhausted() {
    const listener = new Listener();
    const key = Buffer.from('key');
    const guarded = new Listener({ authkey: key });
    const waiting = [await Client(listener.address), await Client(guarded.address)];
    const fds: number[] = [];
    try {
      for (;;) fds.push(openSync('/dev/null', 'r'));
    } catch {
      // No descriptor is left.
    }
    const results: string[] = [];
    const note = (error: unknown): void => {
      results.push(codeOf(error));
    };
    await listener.accept().catch(note);
    await guarded.accept().catch(note);
    await Client(listener.address).catch(note);
    for (const call of [
      () => listener.acceptSync(),
      () => ClientSync(listener.address),
      () => new Listener({ address: '\0x' }),
    ]) {
      try {
        call();
      } catch (error) {
        note(error);
      }
    }
    for (const fd of fds) closeSync(fd);
    (await listener.accept()).close();
    for (const connection of waiting) connection.close();
    listener.close();
    guarded.close();
    say(results);
  },
};

await cases[name]?.();
