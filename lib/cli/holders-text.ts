// SPDX-License-Identifier: MIT
import type { Held, Holder } from './holders.js';
import { table } from './text.js';

/** Node's main thread calls itself so from release 22 on. */
const NODE = /node|MainThread/;

/**
 * The objects whose ends are all in one process, by process: pipes with both ends there, and sockets whose other end is there.
 * Each Node has one such pipe, with which libuv guards its signals, so a single one says nothing.
 */
function endless(all: readonly Held[]): Map<Holder, string[]> {
  const found = new Map<Holder, string[]>();
  for (const { object, peer, holders } of all) {
    const [first] = holders;
    const others = all.find((one) => one.object === peer)?.holders;
    const isWhole = peer === null ? holders.length > 1 && object.startsWith('pipe:') : others !== undefined;
    if (first === undefined || !isWhole || ![...holders, ...(others ?? [])].every(({ pid }) => pid === first.pid))
      continue;
    const same = [...found.keys()].find(({ pid }) => pid === first.pid) ?? first;
    found.set(same, [...(found.get(same) ?? []), object]);
  }
  for (const [holder, objects] of found) {
    if (objects.length === 1 && objects[0]?.startsWith('pipe:') && NODE.test(holder.program)) found.delete(holder);
  }
  return found;
}

/** A table of the holders of each object, and which processes hold all ends of one. */
export function showHolders(all: readonly Held[]): string {
  if (all.length === 0) return 'No pipes and no sockets.\n';
  const rows = all.flatMap(({ object, peer, holders }) => {
    const name = peer === null ? object : `${object} to ${peer}`;
    if (holders.length === 0) return [[name, 'no holders that this user may see', '', '', '']];
    return holders.map(({ pid, fd, access, program }, i) => [
      i === 0 ? name : '',
      String(pid),
      String(fd),
      access,
      program,
    ]);
  });
  const alone = [...endless(all)].map(
    ([{ pid, program }, objects]) =>
      `${pid} ${program} alone holds all ends of ${objects.join(', ')}: no end of data comes there.\n`,
  );
  const note = alone.length === 0 ? '' : 'One such pipe is that of each Node itself.\n';
  return table([['OBJECT', 'PID', 'FD', 'ACCESS', 'PROGRAM'], ...rows]) + alone.join('') + note;
}
