// SPDX-License-Identifier: MIT
//
// Which semaphores this user's processes have created, for the command line program. The native layer reads the
// registers. Listing them becomes no member of a family and takes no lock, so it changes nothing.
import { readdirSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';

import { semaphoreError } from '../core/errors.js';
import { familyFolders } from '../synchronize/family-folders.js';
import { native } from '../native/addon.js';
import { objectsOf, type SharedObject } from './objects.js';
import { programOf, type Program } from './processes.js';

/** The memory of an existing semaphore: in /dev/shm each has a page of its own. */
const SEMAPHORE_BYTES = 4096;

/** One family: the semaphores of a tree of processes. The keys are those of `list --json`. */
export interface FamilyListing {
  readonly family: string;
  /** The processes that are members of it, except this one; null where the system does not tell. */
  readonly members: readonly Program[] | null;
  /** Every name in its register that exists. */
  readonly names: readonly string[];
  /** Names in its register that do not exist yet, or no longer. */
  readonly missing: readonly string[];
  /** What the existing semaphores are for. */
  readonly objects: readonly SharedObject[];
  /** The files of its blocks of shared memory for arrays. */
  readonly arrays: readonly string[];
  /** The memory of the existing semaphores, and of these blocks. */
  readonly bytes: number;
}

/** All families of this user. The keys are those of `list --json`. */
export interface Listing {
  /** Where the registers are. If another user's folder is in the way of the usual one, there may be several; the first. */
  readonly folder: string;
  readonly families: readonly FamilyListing[];
  readonly bytes: number;
}

/** What was removed. The keys are those of `sweep --json`. */
export interface Swept {
  readonly families: readonly { readonly family: string; readonly names: number }[];
  readonly names: number;
  /** Whether this is what would be removed, and all is still there. */
  readonly dryRun: boolean;
}

/** The pids of the members of each family, in order; undefined where the system does not tell. */
function membersByFamily(folder: string): ReadonlyMap<string, number[]> | undefined {
  const members = native.families.members(folder);
  if (typeof members === 'number') return undefined;
  const found = new Map<string, number[]>();
  for (const [family, pid] of members)
    found.set(
      family,
      [...(found.get(family) ?? []), pid].sort((a, b) => a - b),
    );
  return found;
}

/** The size of a file, which may be gone. */
function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function listFolder(folder: string): FamilyListing[] {
  const families = native.families.list(folder);
  if (typeof families === 'number') throw semaphoreError(families, 'open', folder);
  const members = membersByFamily(folder);
  const files = families.length === 0 ? [] : readdirSync(folder);
  return families.flatMap((family): FamilyListing[] => {
    const registered = native.families.names(folder, family);
    // The family has gone in the meantime, or the file is no register.
    if (typeof registered === 'number') return [];
    const names = registered.filter(([, , exists]) => exists).map(([name]) => name);
    const missing = registered.filter(([, , exists]) => !exists).map(([name]) => name);
    const programs = members === undefined ? null : (members.get(family) ?? []).map(programOf);
    const objects = objectsOf(folder, family, registered);
    const arrays = files.filter((file) => file.startsWith(`${family}.array.`));
    const bytes = names.length * SEMAPHORE_BYTES + arrays.reduce((sum, file) => sum + sizeOf(join(folder, file)), 0);
    return [{ family, members: programs, names, missing, objects, arrays, bytes }];
  });
}

/**
 * Every family of this user.
 *
 * @throws A system error if a folder cannot be read: EMFILE, ENOMEM.
 */
export function listFamilies(): Listing {
  const folders = familyFolders();
  const families = folders.flatMap(listFolder).sort((a, b) => (a.family < b.family ? -1 : 1));
  return { folder: folders[0], families, bytes: families.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/**
 * Removes what families without members have left.
 *
 * @param dryRun Only tells what would be removed. A family counts as one without members if no process is seen that holds
 *   its register.
 * @throws A system error: EMFILE, ENOMEM if a folder cannot be read; ENOSYS for a dry run where the system does not tell of
 *   other processes.
 */
export function sweepFamilies(dryRun: boolean): Swept {
  const families = dryRun ? deserted() : familyFolders().flatMap(sweepFolder);
  return { families, names: families.reduce((sum, { names }) => sum + names, 0), dryRun };
}

function sweepFolder(folder: string): Swept['families'] {
  const swept = native.families.sweep(folder);
  if (typeof swept === 'number') throw semaphoreError(swept, 'sweep', folder);
  return swept.map(([family, names]) => ({ family, names }));
}

function deserted(): Swept['families'] {
  const { folder, families } = listFamilies();
  if (families.some(({ members }) => members === null)) throw semaphoreError(-constants.errno.ENOSYS, 'sweep', folder);
  return families
    .filter(({ members }) => members?.length === 0)
    .map(({ family, names }) => ({ family, names: names.length }));
}
