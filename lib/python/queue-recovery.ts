// SPDX-License-Identifier: MIT
//
// Recovery of a queue after the death of a Python process that used it. Python records nowhere that it holds a lock, so the
// parent finds out: the dead process held a lock if the lock is taken and no living process can hold it. Node processes keep
// records, and the kernel tells what the threads of other processes at the pipe are doing.
import { setTimeout as sleep } from 'node:timers/promises';

import type { BaseQueue } from '../queues/base-queue.js';
import type { PipeTransport } from '../queues/pipe-transport.js';

/**
 * How many snapshots in a row must agree. A process that has just acquired a lock, or is about to release it, is in no system
 * call, so one snapshot proves nothing.
 */
const SNAPSHOTS = 4;
const PAUSE_MS = 50;
/** The pause once recovery takes longer, because a living member has to read or write first. */
const LONG_PAUSE_MS = 500;

const LOCKS = ['rlock', 'wlock'] as const;
type LockName = (typeof LOCKS)[number];

/** The state of a queue's locks and pipe at one moment. */
interface Snapshot {
  /** The locks that no living process can hold. */
  readonly orphaned: readonly LockName[];
  /** Whether the pipe is empty. If the other lock is free too, the pipe is between two items. */
  readonly empty: boolean;
  readonly free: Readonly<Record<LockName, boolean>>;
}

function takeSnapshot(queue: BaseQueue<unknown>): Snapshot {
  const locks = queue.resources;
  // Python has no queues with leases, which alone have another transport.
  const transport = queue.transport as PipeTransport;
  const emptyBefore = transport.isEmpty;
  const free = { rlock: locks.rlock.value > 0, wlock: locks.wlock.value > 0 };
  const suspicious = LOCKS.filter((name) => !free[name] && !locks[name].hasLiveHolder());
  const unused = suspicious.length > 0 && !transport.mayBeMovedByNonMember;
  return { orphaned: unused ? suspicious : [], empty: emptyBefore && transport.isEmpty, free };
}

/** What the snapshots so far say about one lock. */
class Evidence {
  readonly #name: LockName;
  /** How many snapshots in a row have found the lock orphaned. */
  #count = 0;
  /** Whether the pipe was between two items at one of them. Since then no process has read, or written. */
  #betweenItems = false;

  constructor(name: LockName) {
    this.#name = name;
  }

  /** @returns What to do: give the lock back, break the queue since the boundary of an item is lost, or look again. */
  judge({ orphaned, empty, free }: Snapshot): 'release' | 'break' | 'wait' {
    const isOrphaned = orphaned.includes(this.#name);
    const other = this.#name === 'rlock' ? 'wlock' : 'rlock';
    this.#count = isOrphaned ? this.#count + 1 : 0;
    this.#betweenItems = isOrphaned && (this.#betweenItems || (empty && free[other]));
    if (this.#count < SNAPSHOTS) return 'wait';
    if (!this.#betweenItems) return this.#isLost(empty) ? 'break' : 'wait';
    this.#count = 0;
    return 'release';
  }

  /**
   * Whether a boundary will never be proved. Without the lock for reading no process reads on. A pipe that is empty although
   * its writer died and a reader holds the other lock ends inside an item. A pipe that is not empty may still become so.
   */
  #isLost(empty: boolean): boolean {
    return this.#name === 'rlock' || empty;
  }
}

/** Follows one queue until the traces of the dead process are known. */
async function recover(reference: WeakRef<BaseQueue<unknown>>): Promise<void> {
  const evidence = LOCKS.map((name) => ({ name, of: new Evidence(name) }));
  for (let round = 0; ; round++) {
    const queue = reference.deref();
    if (queue === undefined || queue.closed || queue.transport.broken) return;
    const snapshot = takeSnapshot(queue);
    if (snapshot.free.rlock && snapshot.free.wlock) return;
    for (const { name, of } of evidence) {
      const verdict = of.judge(snapshot);
      if (verdict === 'release') queue.resources[name].recover(true);
      if (verdict !== 'break') continue;
      queue.transport.breakOff();
      return;
    }
    // The locks are held by living processes, whose work takes long.
    if (round > 2 * SNAPSHOTS && snapshot.orphaned.length === 0) return;
    await sleep(round < 2 * SNAPSHOTS ? PAUSE_MS : LONG_PAUSE_MS, undefined, { ref: false });
  }
}

/** Recovers the queues of a process that has ended. */
export function recoverQueues(queues: Iterable<WeakRef<BaseQueue<unknown>>>): void {
  // A state that cannot be found out stays as it is, as it would in Python.
  for (const reference of queues) recover(reference).catch(() => undefined);
}
