// SPDX-License-Identifier: MIT
//
// Producers that run ahead of their consumer: `ahead.js <seconds>`. One producer has a busy event loop after 1,000
// puts, which must delay nothing. The other goes on putting while the consumer is stopped, which must not fill its
// memory.
import * as mp from 'node-multiprocessing';

export interface AheadResult {
  /** How long the producer was busy. */
  readonly busyMs: number;
  /** How long it took until the consumer had all items. */
  readonly gotMs: number;
  readonly highWaterMark: number;
  /** By how much the producer's resident set grew. */
  readonly grownBytes: number;
  readonly seconds: number;
}

const ITEMS = 1000;
const BUSY_MS = 2000;
const MIB = 1024 * 1024;

type Control = mp.Connection<number, string>;

/** The system's monotonic time in milliseconds, which all processes share. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export async function consume(queue: mp.Queue, control: Control): Promise<void> {
  await control.send(process.pid);
  for (let i = 0; i < ITEMS; i++) await queue.get();
  await control.send(now());
  await control.recv();
}

async function main(seconds: number): Promise<void> {
  const highWaterMark = 64 * MIB;
  const queue = new mp.Queue({ highWaterMark });
  const [ours, theirs] = mp.Pipe() as unknown as [mp.Connection<string, number>, Control];
  const child = new mp.Process({ module: import.meta.url, target: 'consume', args: [queue, theirs], daemon: true });
  child.start();
  theirs.close();
  const pid = await ours.recv();
  const begun = now();
  for (let i = 0; i < ITEMS; i++) void queue.put(Buffer.alloc(64, i));
  while (now() < begun + BUSY_MS);
  const busyMs = now() - begun;
  const gotMs = (await ours.recv()) - begun;

  process.kill(pid, 'SIGSTOP');
  const before = process.memoryUsage.rss();
  let most = before;
  const end = now() + 1000 * seconds;
  const producing = (async () => {
    for (;;) await queue.put(Buffer.alloc(MIB / 4, 1));
  })();
  producing.catch(() => undefined);
  while (now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    most = Math.max(most, process.memoryUsage.rss());
  }
  const result: AheadResult = { busyMs, gotMs, highWaterMark, grownBytes: most - before, seconds };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  queue.cancelJoinThread();
  child.kill();
  await child.join();
  process.exit();
}

if (mp.isMainProcess) await main(Number(process.argv[2]));
