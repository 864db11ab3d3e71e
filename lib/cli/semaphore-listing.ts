// SPDX-License-Identifier: MIT
//
// What semaphores this user's processes have made, for the command line program. Nothing here becomes a member of a family
// or takes the lock of a register, so looking on changes nothing.
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  statSync,
} from 'node:fs';
import { constants as os } from 'node:os';
import { join } from 'node:path';

import { semaphoreError } from '../core/errors.js';
import { native } from '../native/addon.js';

/** What an existing semaphore takes in /dev/shm, where each has a page of its own. */
const SEMAPHORE_BYTES = 4096;

/** As much of a register as native/semaphores/family_register.cc reads. */
const MOST_REGISTER_BYTES = 4 * 1024 * 1024;

/** The newline aside. */
const LINE_CHARACTERS = 31;

/** One family: the semaphores of a tree of processes. The keys are those of `list --json`. */
export interface FamilyListing {
  readonly family: string;
  /** The processes that belong to it, without the one that asks; null where the system does not tell. */
  readonly members: readonly number[] | null;
  /** Every name in its register that exists. */
  readonly names: readonly string[];
  /** Names in its register that do not exist: not yet, or not any more. */
  readonly missing: readonly string[];
  /** What the existing semaphores take in memory. */
  readonly bytes: number;
}

/** All families of this user. The keys are those of `list --json`. */
export interface Listing {
  /** Where the registers are. */
  readonly folder: string;
  readonly families: readonly FamilyListing[];
  readonly bytes: number;
}

/** What was removed. The keys are those of `sweep --json`. */
export interface Swept {
  readonly families: readonly { readonly family: string; readonly names: number }[];
  readonly names: number;
}

/** What `body` returns, or `otherwise` if a file or a process is not there any more, or is somebody else's. */
function attempt<T>(body: () => T, otherwise: T): T {
  try {
    return body();
  } catch {
    return otherwise;
  }
}

/** The names in the folder of registers; the same folders are refused as in native/semaphores/family_register.cc. */
function entries(folder: string): string[] {
  const info = lstatSync(folder, { throwIfNoEntry: false });
  if (info === undefined) return [];
  if (!info.isDirectory() || info.uid !== process.geteuid?.() || (info.mode & 0o077) !== 0) {
    throw semaphoreError(-os.errno.EPERM, 'open', folder);
  }
  return readdirSync(folder);
}

/** The text of a register; undefined if it went in the meantime, or is none. */
function readRegister(path: string): string | undefined {
  return attempt(() => {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const info = fstatSync(fd);
      if (!info.isFile()) return undefined;
      const bytes = Buffer.alloc(Math.min(info.size, MOST_REGISTER_BYTES));
      return bytes.toString('latin1', 0, readSync(fd, bytes, 0, bytes.length, 0));
    } finally {
      closeSync(fd);
    }
  }, undefined);
}

/** The names that a register lists. Anything else in it is ignored. */
function namesIn(text: string, family: string): string[] {
  const lines = text.split('\n').slice(0, -1);
  // Before a whole line there may be the beginning of one for which there was no space.
  const names = lines.map((line) => line.slice(-LINE_CHARACTERS).trimEnd());
  const own = new RegExp(`^/mp-${family}-[0-9a-z]+$`);
  return [...new Set(names.filter((name) => own.test(name)))];
}

/** The names of all semaphores of this system; undefined where they cannot be listed. */
function existingNames(): ReadonlySet<string> | undefined {
  if (process.platform !== 'linux') return undefined;
  // glibc keeps "/x" in the file sem.x, musl in x.
  return new Set(attempt(() => readdirSync('/dev/shm'), []).map((file) => `/${file.replace(/^sem\./, '')}`));
}

/** Who has one of these files open: for each path the pids, in order. Undefined without a /proc that tells. */
function holders(paths: readonly string[]): ReadonlyMap<string, number[]> | undefined {
  if (attempt(() => readlinkSync('/proc/self'), '') !== String(process.pid)) return undefined;
  const found = new Map<string, number[]>(paths.map((path) => [path, []]));
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  for (const pid of pids.map(Number).sort((a, b) => a - b)) {
    // Who asks would keep nothing from being removed.
    if (pid === process.pid || attempt(() => statSync(`/proc/${pid}`).uid, -1) !== process.geteuid?.()) continue;
    const fds = attempt(() => readdirSync(`/proc/${pid}/fd`), []);
    for (const path of new Set(fds.map((fd) => attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`), '')))) {
      found.get(path)?.push(pid);
    }
  }
  return found;
}

/**
 * Every family of this user.
 *
 * @throws A system error: EPERM if the folder of the registers is not this user's own.
 */
export function listFamilies(): Listing {
  const folder = native.semaphores.familyFolder();
  const families = entries(folder)
    .filter((name) => /^[0-9a-z]{1,16}$/.test(name))
    .sort();
  const existing = existingNames();
  const pids = holders(families.map((family) => join(folder, family)));
  const listings = families.flatMap((family): FamilyListing[] => {
    const path = join(folder, family);
    const text = readRegister(path);
    if (text === undefined) return [];
    const all = namesIn(text, family);
    // Where nothing tells, a registered name is taken for an existing one.
    const names = all.filter((name) => existing?.has(name) ?? true);
    const missing = all.filter((name) => !names.includes(name));
    return [{ family, members: pids?.get(path) ?? null, names, missing, bytes: names.length * SEMAPHORE_BYTES }];
  });
  return { folder, families: listings, bytes: listings.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/**
 * Removes what families without a living member have left.
 *
 * @throws A system error: EPERM if the folder of the registers is not this user's own.
 */
export function sweepFamilies(): Swept {
  const swept = native.semaphores.sweep();
  if (typeof swept === 'number') throw semaphoreError(swept, 'sweep', native.semaphores.familyFolder());
  const families = swept.map(([family, names]) => ({ family, names }));
  return { families, names: families.reduce((sum, { names }) => sum + names, 0) };
}
