// SPDX-License-Identifier: MIT
//
// Which processes hold which ends of pipes and sockets. A receiver that waits for ever usually waits for a process that still
// holds a copy of the other end.
import { constants as files, readlinkSync, realpathSync, statSync } from 'node:fs';
import { constants } from 'node:os';

import { argumentError, systemError } from '../core/errors.js';
import { native } from '../native/addon.js';
import { allProcesses, nameOf, programOf } from './processes.js';

/** A descriptor of a process. */
export interface Holder {
  readonly pid: number;
  readonly fd: number;
  /** What the descriptor allows. Of a pipe, this tells the end. */
  readonly access: 'read' | 'write' | 'read and write';
  /** The name of the program; of a child that this package has started, its name, too. */
  readonly program: string;
}

/** A pipe, a socket or a file, and all descriptors that lead to it. The keys are those of `holders --json`. */
export interface Held {
  readonly object: string;
  /** The object at the other end of a Unix socket. */
  readonly peer: string | null;
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

/** A process and its descendants: what passes the ends of pipes on, and what may hold them. */
function withDescendants(pid: number): ReadonlySet<number> {
  const running = allProcesses();
  const found = new Set([pid]);
  for (const one of found) {
    for (const { pid: child, parent } of running) if (parent === one) found.add(child);
  }
  return found;
}

/** An object while it is being collected. */
interface Found {
  peer: string | null;
  readonly holders: Holder[];
  /** Whether all its descriptors so far are non-blocking ones of one process, as those of the event loop's own pipes. */
  isPrivate: boolean;
}

/**
 * The pipes and sockets of a process and of its descendants, or the object at a path, with their holders. The two ends of a socket
 * follow each other. The pipes by which an event loop wakes itself are left out.
 *
 * @param subject The number of a process, or a path.
 * @throws A system error: ENOENT if there is no such file, ESRCH if the process has no such descriptor or cannot be seen, ENOSYS
 *   where the system does not tell.
 */
export function findHolders(subject: string): readonly Held[] {
  if (subject === '') throw argumentError('type', 'name a process or a path');
  const all = native.processes.listDescriptors();
  if (typeof all === 'number') throw systemError(all, 'open', '/proc');
  const objects = new Map<string, Found>();
  const names = new Map<number, string | null>();
  for (const [pid, fd, object, flags, program, peer] of all) {
    const isPrivate = (flags & files.O_NONBLOCK) !== 0 && peer === '';
    const found = objects.get(object) ?? { peer: peer === '' ? null : peer, holders: [], isPrivate };
    found.isPrivate &&= isPrivate && found.holders.every((other) => other.pid === pid);
    if (!names.has(pid)) names.set(pid, programOf(pid).name);
    const name = names.get(pid) ?? null;
    const holder = { pid, fd, access: ACCESS[flags & ACCESS_MODE] ?? 'read', program: nameOf({ pid, program, name }) };
    found.holders.push(holder);
    objects.set(object, found);
  }
  const held = (object: string): Held => {
    const { peer = null, holders = [] } = objects.get(object) ?? {};
    return { object, peer, holders };
  };
  if (!/^\d+$/.test(subject)) {
    const one = held(objectAt(subject));
    return one.peer === null ? [one] : [one, held(one.peer)];
  }
  const pid = Number(subject);
  if (!all.some(([other]) => other === pid)) throw systemError(-constants.errno.ESRCH, 'open', `/proc/${pid}/fd`);
  const wanted = withDescendants(pid);
  const shown = new Set<string>();
  for (const [object, { holders, peer, isPrivate }] of objects) {
    if (!isChannel(object) || isPrivate || !holders.some((holder) => wanted.has(holder.pid))) continue;
    shown.add(object);
    if (peer !== null) shown.add(peer);
  }
  return [...shown].map(held);
}

/** By the access mode, which the lowest bits of the flags of open(2) are. */
const ACCESS = ['read', 'write', 'read and write'] as const;
const ACCESS_MODE = 3;
