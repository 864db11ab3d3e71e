// SPDX-License-Identifier: MIT
//
// Processes that may wait for a semaphore and keep no records of it, as Python's. Of such a process only its end is evidence:
// whatever its threads seem to do, it may be stopped, frozen or swapped out, and go on.
import { readdirSync, readFileSync } from 'node:fs';

import type { SemaphoreAddress } from '../reduction/exporters.js';

function mapsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n');
  } catch {
    // The process has ended, or belongs to another user, for whom semaphores are not.
    return [];
  }
}

/**
 * Whether a process without records has the semaphore open. Only such a process can be an unrecorded waiter. True on systems
 * that do not tell.
 *
 * @param address Where the semaphore is. Members of its family keep records.
 */
export function hasUnrecordedUsers({ name, family }: SemaphoreAddress): boolean {
  const semaphore = `/sem.${name.slice(1)}`;
  let pids;
  try {
    pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid);
  } catch {
    return true;
  }
  return pids.some((pid) => {
    const lines = mapsOf(pid);
    const maps = (file: string): boolean => lines.some((line) => line.replace(/ \(deleted\)$/, '').endsWith(file));
    return maps(semaphore) && (family === undefined || !maps(`/${family}.holders`));
  });
}
