// SPDX-License-Identifier: MIT
//
// Puts large items on a queue, many ahead of its consumer, and prints how many pages the kernel had to give for each.
import * as mp from 'node-multiprocessing';

/** So many items are put, and then got. */
const ITEMS = 20;
const ROUNDS = 5;

export async function consume(queue: mp.Queue<Buffer>, got: mp.Connection<number>): Promise<void> {
  for (;;) await got.send((await queue.get()).length);
}

async function main(): Promise<void> {
  const queue = new mp.Queue<Buffer>();
  const [reader, writer] = mp.Pipe<number>(false);
  new mp.Process({ module: import.meta.url, target: 'consume', args: [queue, writer], daemon: true }).start();
  const item = Buffer.alloc(1024 * 1024, 1);
  const round = async (): Promise<void> => {
    for (let i = 0; i < ITEMS; i++) await queue.put(item);
    for (let i = 0; i < ITEMS; i++) await reader.recv();
  };
  await round();
  const before = process.resourceUsage().minorPageFault;
  for (let i = 0; i < ROUNDS; i++) await round();
  process.stdout.write(`${(process.resourceUsage().minorPageFault - before) / (ROUNDS * ITEMS)}\n`);
  process.exit();
}

if (mp.isMainProcess) await main();
