// SPDX-License-Identifier: MIT
//
// Processes that may wait for a semaphore and keep no records of it, as Python's.
import { readdirSync, readFileSync } from 'node:fs';

import type { SemaphoreAddress } from '../reduction/transfer.js';

/** The states of a thread, in /proc, in which it does not go on with a wait whose end has come: it sleeps, or has ended. */
const ASLEEP = new Set(['S', 'I', 'Z', 'X']);

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // The process has ended, or belongs to another user; or this system has no /proc.
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    // As above.
    return [];
  }
}

function isAsleep(thread: string): boolean {
  const stat = read(`${thread}/stat`);
  // The name in parentheses may contain anything.
  const state = /^ (\S)/.exec(stat.slice(stat.lastIndexOf(')') + 1))?.[1];
  return state === undefined || ASLEEP.has(state);
}

/**
 * Whether a process without records may still take a value that has been in a semaphore for a while. Posting wakes the thread
 * that waits, so that a thread that still sleeps does not wait for it. One that is stopped, or has had no turn on a CPU yet, may.
 *
 * @param address Where the semaphore is. Members of its family keep records.
 */
export function mayBeTakenLater({ name, family }: SemaphoreAddress): boolean {
  const semaphore = `/sem.${name.slice(1)}`;
  for (const pid of list('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const lines = read(`/proc/${pid}/maps`).split('\n');
    const maps = (file: string): boolean => lines.some((line) => line.replace(/ \(deleted\)$/, '').endsWith(file));
    if (!maps(semaphore) || (family !== undefined && maps(`/${family}.holders`))) continue;
    if (list(`/proc/${pid}/task`).some((thread) => !isAsleep(`/proc/${pid}/task/${thread}`))) return true;
  }
  return false;
}
