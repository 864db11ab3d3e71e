// SPDX-License-Identifier: MIT
//
// The memory of an idle connection: `idle-memory.js <connections>`, in a fresh process with `--expose-gc`.
//
// Prints the bytes per connection after each stage of its life. Before that, the program makes as many other
// connections: the garbage collector lets the heap grow by megabytes at a time, which would be charged to the first
// connections if these were the measured ones.
import * as mp from 'node-multiprocessing';

export interface MemoryCost {
  /** Growth of the resident set: native and JavaScript memory together, in whole pages. */
  readonly residentBytes: number;
  /** Growth of the JavaScript heap and of the external memory that it accounts for. */
  readonly heapBytes: number;
}

export interface MemoryResult {
  readonly connections: number;
  readonly stages: Readonly<Record<'open' | 'used' | 'receiving', MemoryCost>>;
}

function collectGarbage(): void {
  const { gc } = globalThis;
  if (!gc) throw new Error('run with --expose-gc');
  for (let i = 0; i < 4; i++) gc();
}

function usage(): MemoryCost {
  collectGarbage();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { residentBytes: rss, heapBytes: heapUsed + external };
}

async function exchange([a, b]: readonly [mp.Connection, mp.Connection]): Promise<void> {
  const message = Buffer.from('one small message');
  for (const [from, to] of [[a, b] as const, [b, a] as const]) {
    const received = to.recvBytes();
    await from.sendBytes(message);
    await received;
  }
}

const connections = Number(process.argv[2]);
const forerunners = Array.from({ length: connections / 2 }, () => mp.Pipe());
for (const pair of forerunners) await exchange(pair);
const pendingBefore = forerunners.flat().map((connection) => connection.recvBytes());

const pairs: [mp.Connection, mp.Connection][] = [];
pairs.length = connections / 2;
const before = usage();
const since = (): MemoryCost => {
  const now = usage();
  return {
    residentBytes: (now.residentBytes - before.residentBytes) / connections,
    heapBytes: (now.heapBytes - before.heapBytes) / connections,
  };
};

for (let i = 0; i < pairs.length; i++) pairs[i] = mp.Pipe();
const open = since();
for (const pair of pairs) await exchange(pair);
const used = since();
const pending = pairs.flat().map((connection) => connection.recvBytes());
const receiving = since();
const result: MemoryResult = { connections, stages: { open, used, receiving } };
process.stdout.write(`${JSON.stringify(result)}\n`);

for (const connection of [...pairs, ...forerunners].flat()) connection.close();
await Promise.allSettled([...pendingBefore, ...pending]);
