// SPDX-License-Identifier: MIT
//
// idle-connections <case> [size]: many connections at once. Prints the counts as JSON.
import { readdirSync, writeSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';

import { Pipe, type Connection } from 'node-multiprocessing';

import { turns } from '../../helpers/assertions.js';
import { untilWorkersAsleep } from '../support/programs.js';

function threads(): number {
  return readdirSync('/proc/self/task').length;
}

function say(what: unknown): void {
  writeSync(1, `${JSON.stringify(what)}\n`);
}

function pipes(count: number): (readonly [Connection<never, number>, Connection<number, never>])[] {
  return Array.from({ length: count }, () => Pipe<number>(false));
}

const cases: Record<string, () => Promise<void>> = {
  /** The threads before and while a thousand receives wait, and that every receive is served. */
  async threads() {
    // The threads of libuv's pool start with its first use.
    await Promise.all(Array.from({ length: 16 }, () => stat('/')));
    const before = threads();
    const pairs = pipes(1000);
    const received = pairs.map(([reader]) => reader.recv());
    await turns();
    const added = threads() - before;
    for (const [i, [, writer]] of pairs.entries()) await writer.send(i);
    const values = await Promise.all(received);
    say({ added, inOrder: values.every((value, i) => value === i) });
    for (const pair of pairs) for (const end of pair) end.close();
  },

  /** Reads of files need libuv's pool. No receive may hold one of its threads. */
  async reads() {
    const pairs = pipes(1000);
    const settled: unknown[] = [];
    for (const [reader] of pairs) {
      reader.recv().then(
        () => settled.push('received'),
        () => settled.push('failed'),
      );
    }
    const full = Pipe(false)[1];
    for (let i = 0; i < 64; i++) full.sendBytes(Buffer.alloc(65536)).catch(() => undefined);
    const code = `
      import('node-multiprocessing').then(({ Pipe }) => {
        require('node:worker_threads').parentPort.postMessage('calling');
        Pipe()[0].recvSync();
      });`;
    const worker = new Worker(code, { eval: true });
    await new Promise((resolve) => worker.once('message', resolve));
    await untilWorkersAsleep(process.pid, 'sync call');
    const contents = await Promise.all(Array.from({ length: 64 }, () => readFile('/proc/self/status', 'utf8')));
    say({ read: contents.filter((text) => text.startsWith('Name:')).length, settled: settled.length });
    await worker.terminate();
    for (const pair of pairs) for (const end of pair) end.close();
    full.close({ discard: true });
  },

  /** Stays idle with a hundred pending receives, until the standard input ends. */
  async idle() {
    const pairs = pipes(100);
    for (const [reader] of pairs) reader.recv().catch(() => undefined);
    // Between two connections that were used: a poller that forgot to disarm would show only then.
    const [near, far] = Pipe<number>();
    for (let i = 0; i < 100; i++) {
      const received = near.recv();
      await far.send(i);
      await received;
    }
    process.stdin.resume();
    process.stdin.on('end', () => {
      // Until then the connections are in use. Otherwise the collector would close them, and the receives would end.
      for (const end of [...pairs.flat(), near, far]) end.close();
      process.exit(0);
    });
    await turns();
    say('idle');
  },

  /** The memory of idle connections that have carried a message of a size, in bytes for each. Needs --expose-gc. */
  async memory() {
    const collect = (globalThis as unknown as { gc: () => void }).gc;
    const measure = async (): Promise<number> => {
      for (let i = 0; i < 5; i++) {
        collect();
        await turns();
      }
      return process.memoryUsage().rss;
    };
    const size = Number(process.argv[3]);
    const use = async (): Promise<unknown[]> => {
      const pairs = Array.from({ length: 500 }, () => Pipe<Buffer>());
      for (const [near, far] of pairs) {
        const received = near.recv();
        await far.send(Buffer.alloc(size));
        await received;
      }
      return pairs;
    };
    // The first thousand grow what the process keeps for all.
    const kept = [await use()];
    const before = await measure();
    for (let i = 0; i < 4; i++) kept.push(await use());
    const bytes = ((await measure()) - before) / 4000;
    say({ bytes, kept: kept.length });
  },
};

await cases[process.argv[2] as string]?.();
