// SPDX-License-Identifier: MIT
//
// Several consumers of one queue: each item is processed by one of them.
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
  for (let i = 0; i < 2; i++) {
    new mp.Process({ module: import.meta.url, target: consumer, args: [queue], daemon: true }).start();
  }
  for (const item of [1, 2, 3, 4]) await queue.put(item);
  await queue.join();
}
