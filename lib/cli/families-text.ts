// SPDX-License-Identifier: MIT
//
// The text of `list` and `sweep`.
import type { Listing, Swept } from './families.js';
import { count, table } from './text.js';

function membersOf(members: readonly number[] | null): string {
  if (members === null) return 'unknown';
  return members.length === 0 ? 'none' : members.join(', ');
}

/** The families, with a line for each name. */
export function showListing({ folder, families, bytes }: Listing): string {
  if (families.length === 0) return `No families in ${folder}.\n`;
  const rows = families.flatMap(({ family, members, names, missing, arrays }) => {
    const semaphores = [
      ...names.map((name) => [name, 'exists']),
      ...missing.map((name) => [name, 'missing']),
      ...arrays.map((file) => [file, 'array']),
      ...(names.length + missing.length + arrays.length === 0 ? [['(no names)', '']] : []),
    ];
    return semaphores.map((cells, i) => [...(i === 0 ? [family, membersOf(members)] : ['', '']), ...cells]);
  });
  const exist = families.reduce((sum, { names }) => sum + names.length, 0);
  return (
    `${table([['FAMILY', 'MEMBERS', 'SEMAPHORE', 'STATE'], ...rows])}\n` +
    `${count(exist, 'semaphore', 'semaphores')} of ${count(families.length, 'family', 'families')} in ${folder}, ` +
    `${bytes} bytes.\n`
  );
}

/** What was removed, or would be. */
export function showSwept({ families, names, dryRun }: Swept): string {
  if (families.length === 0) return 'Nothing to remove.\n';
  const rows = families.map(({ family, names: removed }) => [family, String(removed)]);
  const title = dryRun ? 'SEMAPHORES TO REMOVE' : 'SEMAPHORES REMOVED';
  return (
    `${table([['FAMILY', title], ...rows])}\n${dryRun ? 'Would remove' : 'Removed'} ` +
    `${count(names, 'semaphore', 'semaphores')} of ${count(families.length, 'family', 'families')}.\n`
  );
}
