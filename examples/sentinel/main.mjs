// SPDX-License-Identifier: MIT
//
// A consumer that ends when it gets null. A queue has no end of its own, so each consumer needs a null of its own.
import * as mp from 'node-multiprocessing';

export async function consumer(queue) {
  for (;;) {
    const item = await queue.get();
    if (item === null) break;
    console.log(item);
  }
  console.log('Consumer done');
}

if (mp.isMainProcess) {
  const queue = new mp.Queue();
  const child = new mp.Process({ module: import.meta.url, target: consumer, args: [queue] });
  child.start();
  for (const item of [1, 2, 3, 4]) await queue.put(item);
  await queue.put(null);
  await child.join();
}
