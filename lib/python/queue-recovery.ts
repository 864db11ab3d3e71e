// SPDX-License-Identifier: MIT
//
// What becomes of a queue when a Python process dies that used it. Python writes down nowhere that it holds a lock, so its
// parent finds out: a lock is the dead one's if it is taken and nobody who is alive can have it. Node processes have records,
// and of others at the pipe the kernel tells what their threads are doing.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import type { BaseQueue } from '../queues/base-queue.js';
import { native } from '../native/addon.js';
import { identityOf } from '../reduction/transfer.js';

/** Somebody who has just taken a lock, or is about to give it back, is not seen in a system call. So it is looked more than once. */
const LOOKS = 4;
const PAUSE_MS = 50;
/** The pause when it takes longer, because somebody has to make room first. */
const LONG_PAUSE_MS = 500;

/** Numbers of system calls. Who has a lock waits in one of these, and who waits for a lock waits in another. */
const CALLS: Partial<Record<string, { moving: readonly number[]; polling: readonly number[] }>> = {
  x64: { moving: [0, 1, 19, 20], polling: [7, 23, 232, 270, 271, 281] }, // read, write, readv, writev; poll, select, ...
  arm64: { moving: [63, 64, 65, 66], polling: [22, 72, 73] },
};

/** Who is not in the register of a family, and has the pipe open: the numbers that it has there. */
function strangersAt(pipe: string): Map<number, readonly number[]> {
  const found = new Map<number, readonly number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const links = linksOf(name);
    const fds = [...links].filter(([, link]) => link === pipe).map(([fd]) => fd);
    // Members of a family hold its register, and write down which locks they have.
    const isMember = [...links.values()].some((link) => link.startsWith('/dev/shm/mp-'));
    if (fds.length > 0 && !isMember) found.set(Number(name), fds);
  }
  return found;
}

function linksOf(pid: string): Map<number, string> {
  const links = new Map<number, string>();
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) links.set(Number(fd), readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    // It has ended, or is somebody else's, who cannot have inherited the pipe.
  }
  return links;
}

/** Whether a process may be moving data through one of these descriptors, or be about to. */
function mayBeAtWork(pid: number, fds: readonly number[]): boolean {
  const calls = CALLS[process.arch];
  if (calls === undefined) return true;
  try {
    return readdirSync(`/proc/${pid}/task`).some((task) => {
      const [call, first] = readFileSync(`/proc/${pid}/task/${task}/syscall`, 'latin1').split(' ');
      const number = Number(call);
      // It runs, or has been stopped somewhere.
      if (!(number >= 0)) return true;
      return calls.polling.includes(number) || (calls.moving.includes(number) && fds.includes(Number(first)));
    });
  } catch (error) {
    // Who has ended has nothing. Of whom nothing is told may have everything.
    return (error as { code?: unknown }).code !== 'ENOENT';
  }
}

const LOCKS = ['rlock', 'wlock'] as const;
type LockName = (typeof LOCKS)[number];

/** One look at a queue. */
interface Look {
  /** The locks that nobody who is alive can have. */
  readonly orphaned: readonly LockName[];
  /** That nobody moves anything, and that the pipe is empty: so it is between two items, if the other lock is free. */
  readonly empty: boolean;
  readonly free: Readonly<Record<LockName, boolean>>;
}

function look(queue: BaseQueue<unknown>): Look {
  const locks = queue.resources;
  const isEmpty = (): boolean => native.queues.readable(queue.handle.id) === 0;
  const emptyBefore = isEmpty();
  const free = { rlock: locks.rlock.value > 0, wlock: locks.wlock.value > 0 };
  const suspicious = LOCKS.filter((name) => !free[name] && !locks[name].hasLiveHolder());
  let orphaned: readonly LockName[] = [];
  if (suspicious.length > 0) {
    const { inode } = identityOf(queue.handle.channel.fd);
    const strangers = strangersAt(`pipe:[${inode}]`);
    const atWork = [...strangers].some(([pid, fds]) => mayBeAtWork(pid, fds));
    if (!atWork) orphaned = suspicious;
  }
  return { orphaned, empty: emptyBefore && isEmpty(), free };
}

/** Follows one queue until it is known what the dead process has left. */
async function follow(reference: WeakRef<BaseQueue<unknown>>): Promise<void> {
  const seen: Record<LockName, number> = { rlock: 0, wlock: 0 };
  /** Whether the pipe was between two items while the lock was the dead one's: since then nobody has read, or written. */
  const proved: Record<LockName, boolean> = { rlock: false, wlock: false };
  for (let round = 0; ; round++) {
    const queue = reference.deref();
    if (queue === undefined || queue.closed || (queue.handle.flags & native.queues.broken) !== 0) return;
    const { orphaned, empty, free } = look(queue);
    const taken = LOCKS.filter((name) => !free[name]);
    if (taken.length === 0) return;
    for (const name of LOCKS) {
      const other = name === 'rlock' ? 'wlock' : 'rlock';
      const is = orphaned.includes(name);
      seen[name] = is ? seen[name] + 1 : 0;
      proved[name] = is && (proved[name] || (empty && free[other]));
      if (seen[name] < LOOKS) continue;
      if (proved[name]) {
        queue.resources[name].recover(true);
        seen[name] = 0;
      } else if (cannotBeProved(name, empty)) {
        native.queues.addFlags(queue.handle.id, native.queues.broken);
        return;
      }
    }
    // Others are at work: if they are not done soon, then what they do takes long.
    if (round > 2 * LOOKS && orphaned.length === 0) return;
    await sleep(round < 2 * LOOKS ? PAUSE_MS : LONG_PAUSE_MS, undefined, { ref: false });
  }
}

/**
 * Nobody reads on if the lock for reading is the dead one's, so nothing will be proved later. A pipe that is empty while its
 * writer is dead and somebody has the lock for reading ends inside an item. A pipe that is not empty may still become so.
 */
function cannotBeProved(name: LockName, empty: boolean): boolean {
  return name === 'rlock' || empty;
}

/** Looks after queues that a process has had which has ended. */
export function lookAfter(queues: Iterable<WeakRef<BaseQueue<unknown>>>): void {
  if (process.platform !== 'linux') return;
  // What cannot be found out stays as it is, as it would in Python.
  for (const reference of queues) follow(reference).catch(() => undefined);
}
