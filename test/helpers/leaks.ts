// SPDX-License-Identifier: MIT
//
// What a process holds of the operating system. Every test is checked for leaving nothing behind.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

import { ownNames } from './foreign-names.js';

export interface Holdings {
  /** Number and target of every open descriptor. */
  readonly descriptors: ReadonlySet<string>;
  /** Names of all threads, with how many there are. */
  readonly threads: ReadonlyMap<string, number>;
  readonly children: ReadonlySet<string>;
  /** Names in /dev/shm that this package or CPython's multiprocessing makes. */
  readonly names: ReadonlySet<string>;
}

/** Threads that may appear at any time, because V8 or Node decides when to start them. */
const FOREIGN_THREADS = new Map<string, string>([
  ['SignalInspector', 'Node starts it with the first use of the inspector'],
  ['V8Worker', 'the platform may replace its workers'],
]);

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function descriptors(): Set<string> {
  const found = new Set<string>();
  for (const fd of list('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      // The descriptor that reads this very folder is closed when its link is read, or leads to the folder.
      if (!/^\/proc\/\d+\/fd$/.test(target)) found.add(`${fd} -> ${target}`);
    } catch {
      continue;
    }
  }
  return found;
}

function threads(): Map<string, number> {
  const found = new Map<string, number>();
  for (const task of list('/proc/self/task')) {
    try {
      const name = readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim();
      if (!FOREIGN_THREADS.has(name)) found.set(name, (found.get(name) ?? 0) + 1);
    } catch {
      continue;
    }
  }
  return found;
}

function children(): Set<string> {
  const found = new Set<string>();
  for (const pid of list('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name in parentheses may contain anything, so the fields are counted from its end.
      const [, parent] = /\) \S (\d+)/.exec(stat.slice(stat.lastIndexOf(')'))) ?? [];
      if (parent === String(process.pid))
        found.add(`${pid} ${stat.slice(stat.indexOf('('), stat.lastIndexOf(')') + 1)}`);
    } catch {
      continue;
    }
  }
  return found;
}

/** The semaphores, shared memory, and the content of the folder of the families' registers. The folder itself stays for good. */
function names(): Set<string> {
  const semaphores = list('/dev/shm').filter((name) => /^(sem\.mp-|psm_)/.test(name));
  const folder = `mp-${process.getuid?.() ?? ''}`;
  return new Set([...semaphores, ...list(`/dev/shm/${folder}`).map((name) => `${folder}/${name}`)]);
}

/** What this process holds at this moment. */
export function holdings(): Holdings {
  return { descriptors: descriptors(), threads: threads(), children: children(), names: names() };
}

function added(kind: string, before: ReadonlySet<string>, after: ReadonlySet<string>): string[] {
  return [...after].filter((item) => !before.has(item)).map((item) => `${kind} ${item}`);
}

/** What differs, in words; empty if nothing does. */
export function differences(before: Holdings, after: Holdings): string[] {
  const found = [
    ...added('left open: descriptor', before.descriptors, after.descriptors),
    ...added("closed, though not the test's own: descriptor", after.descriptors, before.descriptors),
    ...added('left running: process', before.children, after.children),
    ...ownNames(
      [...after.names].filter((name) => !before.names.has(name)),
      after.names,
    ).map((name) => `left in /dev/shm: ${name}`),
  ];
  for (const [name, count] of after.threads) {
    const more = count - (before.threads.get(name) ?? 0);
    if (more > 0) found.push(`left running: ${more} thread(s) ${name}`);
  }
  return found;
}

/**
 * Waits until nothing differs from `before`, since Node closes handles and reaps children in later turns of its loop.
 * Returns what still differs when the watchdog fires.
 */
export async function settle(before: Holdings, watchdogMs: number): Promise<string[]> {
  const end = performance.now() + watchdogMs;
  for (;;) {
    const found = differences(before, holdings());
    if (found.length === 0 || performance.now() > end) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
