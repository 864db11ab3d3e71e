// SPDX-License-Identifier: MIT
import type { QueueDescriptor } from 'node-multiprocessing';

/**
 * A queue on the command line of a C program (test/peers/queue_words.h). The ends of its pipe are appended to `fds`,
 * which begin with descriptor 3 there.
 */
export function queueWords(queue: QueueDescriptor, fds: number[]): string {
  const { reader, writer, rlock, wlock, places, unfinished, condition } = queue;
  const ends = [reader, writer].map(({ descriptor }) => 2 + fds.push(descriptor.fd));
  const words = [...ends, ...[rlock, wlock, places].map((part) => part?.semaphore.name ?? '-'), places?.bound ?? '-'];
  if (condition !== undefined) {
    const { sleeping, woken, wait } = condition.condition;
    words.push(...[unfinished!.semaphore, condition.lock.semaphore, sleeping, woken, wait].map(({ name }) => name));
  }
  return words.join(',');
}
