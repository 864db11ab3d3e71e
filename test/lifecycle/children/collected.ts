// SPDX-License-Identifier: MIT
//
// collected <case>: drops Connections and waits for the collector. Needs --expose-gc.
import { readdirSync } from 'node:fs';

import { Connection, Pipe, wait } from 'node-multiprocessing';

import { turns } from '../../helpers/assertions.js';
import { numbered } from '../support/numbered-messages.js';

const collect = (globalThis as unknown as { gc: () => void }).gc;

/** Collects until `done`, since the callbacks of a FinalizationRegistry run in later turns. */
async function collectUntil(done: () => boolean): Promise<void> {
  while (!done()) {
    collect();
    await turns(1);
  }
}

async function collectOften(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    collect();
    await turns(1);
  }
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** The writing end of a pipe whose reading end has no holder. */
function writerAlone(): Connection<never, never> {
  return Pipe(false)[1];
}

const cases: Record<string, () => Promise<unknown>> = {
  /** A dropped end is closed, and the other end sees it. */
  async closes() {
    const results: unknown[] = [];
    for (const duplex of [true, false] as const) {
      const kept = duplex ? Pipe(true)[0] : Pipe(false)[0];
      let end: unknown;
      kept.recv().catch((error: unknown) => {
        end = (error as { code: string }).code;
      });
      await collectUntil(() => end !== undefined);
      results.push(end);
    }
    const writer = writerAlone();
    let broken: unknown;
    await collectUntil(() => {
      writer.sendBytes(Buffer.from('x')).catch((error: unknown) => {
        broken = (error as { code: string }).code;
      });
      return broken !== undefined;
    });
    results.push(broken);
    return results;
  },

  /** Nothing is left of a thousand dropped pairs, some of which were used. */
  async many() {
    // The first pair starts the poller, which stays.
    for (const end of Pipe()) end.close();
    await turns();
    const before = descriptors();
    for (let i = 0; i < 1000; i++) {
      const [a, b] = Pipe<number>();
      // The call fails if the other end is collected first.
      if (i % 3 === 0) a.send(i).catch(() => undefined);
      if (i % 3 === 1) await b.recv({ timeout: 0 }).catch(() => undefined);
    }
    // The last pairs may still be in variables that the engine holds.
    await collectUntil(() => descriptors() <= before + 10);
    return 'closed';
  },

  /** What a dropped Connection has sent is still written. Descriptor 3 has a reader in another process. */
  async writes() {
    (() => {
      const connection = Connection.fromFd(3);
      for (let i = 0; i < 64; i++) connection.sendBytes(numbered(i, 16384)).catch(() => undefined);
    })();
    await collectOften();
    return 'dropped';
  },

  /** A pending call keeps its Connection, although no variable does. */
  async pending() {
    const results: unknown[] = [];
    const waits: ((connection: Connection<string>) => Promise<unknown>)[] = [
      (connection) => connection.recv(),
      (connection) => connection.poll(null),
      async (connection) => (await wait([connection])).length,
      async (connection) => {
        for await (const value of connection) return value;
        return undefined;
      },
      async (connection) => (await connection.recvBytesInto(Buffer.alloc(100))) > 0,
    ];
    for (const start of waits) {
      const [near, far] = Pipe<string>();
      const pending = start(near);
      await collectOften();
      await far.send('a value');
      results.push(await pending);
      far.close();
    }
    return results;
  },

  /** An endpoint is open as long as one of its users is reachable. */
  async dup() {
    const [near, far] = Pipe<string>();
    const drop = (): void => {
      near.dup();
      near.dup().close();
    };
    drop();
    await collectOften();
    await far.send('still open');
    return near.recv();
  },

  /** A receive that has ended leaves nothing behind that would keep its Connection. */
  async timedOut() {
    const kept = await (async () => {
      const [near, far] = Pipe<string>();
      await near.recv({ timeout: 1 }).catch(() => undefined);
      await near.poll(1);
      const controller = new AbortController();
      const aborted = near.recv({ signal: controller.signal }).catch(() => undefined);
      controller.abort();
      await aborted;
      return far;
    })();
    let end: unknown;
    kept.recv().catch((error: unknown) => {
      end = (error as { code: string }).code;
    });
    await collectUntil(() => end !== undefined);
    return end;
  },

  /** A signal that lives on keeps neither a call that had it nor what that call has received. */
  async signal() {
    const { signal } = new AbortController();
    const [near, far] = Pipe<object>();
    const received = await (async () => {
      const pending = near.recv({ signal });
      await far.send({ large: true });
      return new WeakRef(await pending);
    })();
    await collectOften();
    near.close();
    far.close();
    return [signal.aborted, received.deref() === undefined];
  },

  /** Collection after close() must not release the number a second time, which another descriptor has by then. */
  async closedBefore() {
    for (let i = 0; i < 200; i++) {
      const [a, b] = Pipe();
      a.close();
      b.close();
    }
    const pairs = Array.from({ length: 50 }, () => Pipe<number>());
    await collectOften();
    let sum = 0;
    for (const [near, far] of pairs) {
      await near.send(1);
      sum += await far.recv();
    }
    return sum;
  },
};

const name = process.argv[2] as string;
const result = await cases[name]?.();
process.stdout.write(`${JSON.stringify(result)}\n`);
