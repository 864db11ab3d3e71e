// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';

/**
 * The anonymous memory of a process in bytes: what it has allocated, without files and shared memory. 0 where the system does not
 * tell it.
 */
export function anonymousMemory(pid: number): number {
  try {
    const [, kilobytes] = /^RssAnon:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    // It has just ended; or there is no /proc.
    return 0;
  }
}
