// SPDX-License-Identifier: MIT
//
// Which processes hold which ends of pipes and sockets. A receiver that waits for ever usually waits for a process that still
// holds a copy of the other end.
import { readlinkSync, realpathSync, statSync } from 'node:fs';
import { constants } from 'node:os';

import { argumentError, systemError } from '../core/errors.js';
import { native } from '../native/addon.js';

/** A descriptor of a process. */
export interface Holder {
  readonly pid: number;
  readonly fd: number;
  /** What the descriptor allows. Of a pipe, this tells the end. */
  readonly access: 'read' | 'write' | 'read and write';
  /** The name of the program. */
  readonly program: string;
}

/** A pipe, a socket or a file, and all descriptors that lead to it. The keys are those of `holders --json`. */
export interface Held {
  readonly object: string;
  readonly holders: readonly Holder[];
}

/** What stands for the object of a descriptor in the list of the system: `pipe:[inode]`, or a path. */
function objectAt(path: string): string {
  if (/^\/proc\/(\d+|self)\/fd\/\d+$/.test(path)) return readlinkSync(path);
  statSync(path);
  return realpathSync(path);
}

function isChannel(object: string): boolean {
  return /^(pipe|socket):\[\d+\]$/.test(object);
}

/**
 * The pipes and sockets of a process, or the object at a path, with their holders.
 *
 * @param subject The number of a process, or a path.
 * @throws A system error: ENOENT if there is no such file, ESRCH if the process has no such descriptor or cannot be seen, ENOSYS
 *   where the system does not tell.
 */
export function findHolders(subject: string): readonly Held[] {
  if (subject === '') throw argumentError('type', 'name a process or a path');
  const all = native.processes.listDescriptors();
  if (typeof all === 'number') throw systemError(all, 'open', '/proc');
  const holders = new Map<string, Holder[]>();
  for (const [pid, fd, object, access, program] of all) {
    const found = holders.get(object) ?? [];
    found.push({ pid, fd, access: ACCESS[access] ?? 'read', program });
    holders.set(object, found);
  }
  const pid = /^\d+$/.test(subject) ? Number(subject) : undefined;
  const objects =
    pid === undefined
      ? [objectAt(subject)]
      : [...holders.keys()].filter(
          (object) => isChannel(object) && holders.get(object)?.some((holder) => holder.pid === pid),
        );
  if (pid !== undefined && !all.some(([other]) => other === pid)) {
    throw systemError(-constants.errno.ESRCH, 'open', `/proc/${pid}/fd`);
  }
  return objects.map((object) => ({ object, holders: holders.get(object) ?? [] }));
}

/** By the access mode of open(2). */
const ACCESS = ['read', 'write', 'read and write'] as const;
