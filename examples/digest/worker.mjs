// SPDX-License-Identifier: MIT
//
// A Node worker: digests the pieces that it gets, until it gets null instead.
import { createHash } from 'node:crypto';

/**
 * @param {import('node-multiprocessing').JoinableQueue<[number, Buffer] | null>} tasks
 * @param {import('node-multiprocessing').Queue} results
 * @param {string} name
 */
export async function work(tasks, results, name) {
  // Ctrl-C reaches every process of the terminal. The main process handles it, and ends this one.
  process.on('SIGINT', () => {});
  await results.put([name, 'ready', null]);
  for (;;) {
    const task = await tasks.get();
    if (task !== null) {
      const [number, data] = task;
      await results.put([name, number, createHash('sha256').update(data).digest()]);
    }
    await tasks.taskDone();
    if (task === null) return;
  }
}
