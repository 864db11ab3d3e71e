// SPDX-License-Identifier: MIT
import type { Held } from './holders.js';
import { table } from './text.js';

/** A table of the holders of each object. */
export function showHolders(all: readonly Held[]): string {
  if (all.length === 0) return 'No pipes and no sockets.\n';
  const rows = all.flatMap(({ object, holders }) => {
    if (holders.length === 0) return [[object, 'no holders that this user may see', '', '', '']];
    return holders.map(({ pid, fd, access, program }, i) => [
      i === 0 ? object : '',
      String(pid),
      String(fd),
      access,
      program,
    ]);
  });
  return table([['OBJECT', 'PID', 'FD', 'ACCESS', 'PROGRAM'], ...rows]);
}
