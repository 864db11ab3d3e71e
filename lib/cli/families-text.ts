// SPDX-License-Identifier: MIT
//
// The text of `list` and `sweep`.
import type { FamilyListing, Listing, Swept } from './families.js';
import { nameOf } from './processes.js';
import { count, table } from './text.js';

function membersOf(members: FamilyListing['members']): string[] {
  if (members === null) return ['unknown'];
  return members.length === 0 ? ['none'] : members.map((member) => `${member.pid} ${nameOf(member)}`);
}

/** What each semaphore is for, and which process holds it. */
function purposes(objects: FamilyListing['objects']): Map<string, string> {
  return new Map(
    objects.flatMap(({ id, type, parts }) =>
      parts.map(({ name, part, holders }) => {
        const object = parts.length === 1 ? type : `${type} ${id.slice(id.lastIndexOf('-') + 1)}, ${part}`;
        return [name, holders.length === 0 ? object : `${object}, held by ${holders.join(', ')}`] as const;
      }),
    ),
  );
}

/** The families, with a line for each name. */
export function showListing({ folder, families, bytes }: Listing): string {
  if (families.length === 0) return `No families in ${folder}.\n`;
  const rows = families.flatMap(({ family, members, names, missing, objects, arrays }) => {
    const use = purposes(objects);
    const semaphores = [
      ...names.map((name) => [name, 'exists', use.get(name) ?? '']),
      ...missing.map((name) => [name, 'missing', '']),
      ...arrays.map((file) => [file, 'exists', 'sharedArray']),
      ...(names.length + missing.length + arrays.length === 0 ? [['(no names)', '', '']] : []),
    ];
    const programs = membersOf(members);
    return Array.from({ length: Math.max(semaphores.length, programs.length) }, (_, i) => [
      i === 0 ? family : '',
      programs[i] ?? '',
      ...(semaphores[i] ?? []),
    ]);
  });
  const exist = families.reduce((sum, { names }) => sum + names.length, 0);
  return (
    `${table([['FAMILY', 'MEMBERS', 'SEMAPHORE', 'STATE', 'OF'], ...rows])}\n` +
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
