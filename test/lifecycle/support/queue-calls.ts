// SPDX-License-Identifier: MIT
//
// Every call of a queue that can wait, by name, and what makes it wait.
import { attach, describe, JoinableQueue, Queue } from 'node-multiprocessing';

/** More than a pipe holds. */
const big = Buffer.alloc(1024 * 1024, 7);

function full(): Queue {
  const queue = new Queue(1);
  queue.putSync('the only item');
  return queue;
}

/** A queue whose pipe is full and whose feeder thread has more. */
function overfull(highWaterMark?: number): Queue {
  const queue = new Queue({ highWaterMark });
  void queue.put(big).catch(() => undefined);
  return queue;
}

function unfinished(): JoinableQueue {
  const queue = new JoinableQueue();
  queue.putSync('not done');
  return queue;
}

function leased(item?: unknown): JoinableQueue {
  const queue = new JoinableQueue({ leases: true, leaseBytes: 2000 });
  if (item !== undefined) queue.putSync(item);
  return queue;
}

/** Other members, which could get what is put. */
const others: unknown[] = [];

function closed(): Queue {
  const queue = overfull();
  others.push(attach(describe(queue, { nodeOnly: true })));
  queue.close();
  return queue;
}

/** Starts the call, which then waits. A Sync call returns when it is over. */
export const queueCalls: Readonly<Record<string, () => unknown>> = {
  get: () => new Queue().get(),
  iterate: () => new Queue()[Symbol.asyncIterator]().next(),
  put: () => full().put('no slot'),
  putAboveMark: () => overfull(1000).put(big),
  joinThread: () => closed().joinThread(),
  join: () => unfinished().join(),
  getLease: () => leased().getLease(),
  putLeased: () => leased('x'.repeat(1500)).put('x'.repeat(1500)),
  joinLeased: () => {
    const queue = leased('item');
    queue.getSync();
    return queue.join();
  },
  getSync: () => new Queue().getSync(),
  putSync: () => {
    full().putSync('no slot');
  },
  putAboveMarkSync: () => {
    overfull(1000).putSync(big);
  },
  joinThreadSync: () => {
    closed().joinThreadSync();
  },
  joinSync: () => {
    unfinished().joinSync();
  },
  getLeaseSync: () => leased().getLeaseSync(),
  putLeasedSync: () => {
    leased('x'.repeat(1500)).putSync('x'.repeat(1500));
  },
  joinLeasedSync: () => {
    leased('item').joinSync();
  },
};
