// SPDX-License-Identifier: MIT
//
// A consumer with an endless loop, and a producer that waits until all items are processed. The consumer is a daemon:
// it ends together with the process that started it.
import * as mp from 'node-multiprocessing';

export async function consumer(queue) {
  for (;;) {
    const item = await queue.get();
    console.log(item);
    await queue.taskDone();
  }
}

if (mp.isMainProcess) {
  const queue = new mp.JoinableQueue();
  new mp.Process({ module: import.meta.url, target: consumer, args: [queue], daemon: true }).start();
  for (const item of [1, 2, 3, 4]) await queue.put(item);
  await queue.join(); // Without this the program might end before the items are processed.
}
