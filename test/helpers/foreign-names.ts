// SPDX-License-Identifier: MIT
//
// Which names in /dev/shm belong to other programs of this user, such as a second checkout's tests or a service. A test is
// judged by its own names only.
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The processes of this run inherit it, however long their line of ancestors. */
const MARK = 'NODE_MULTIPROCESSING_TEST_RUN';
process.env[MARK] ??= randomBytes(8).toString('hex');
const mark = `${MARK}=${process.env[MARK]}`;

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // The process has ended, or is another user's.
    return '';
  }
}

/** What a process has open or mapped. */
function usesOf(pid: string): string {
  const targets: string[] = [];
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) targets.push(readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    // As above, or the descriptor was closed meanwhile. The mappings tell enough of a semaphore.
  }
  return `${targets.join('\n')}\n${read(`/proc/${pid}/maps`)}`;
}

/** Whether a process belongs to this run: by what it has inherited, or as a descendant whose environment was replaced. */
function isOurs(pid: string): boolean {
  if (read(`/proc/${pid}/environ`).split('\0').includes(mark)) return true;
  for (let ancestor = pid; Number(ancestor) > 1;) {
    if (ancestor === String(process.pid)) return true;
    const stat = read(`/proc/${ancestor}/stat`);
    ancestor = /^ \S (\d+)/.exec(stat.slice(stat.lastIndexOf(')') + 1))?.[1] ?? '0';
  }
  return false;
}

/** The family of a name, or the semaphore itself if it is Python's. */
function groupOf(name: string): string {
  const [, family] = /^(?:sem\.mp-|mp-\d*\/)([^.-]+)/.exec(name) ?? [];
  return family ?? name;
}

/**
 * Those of the names that can be names of this run. Names that no process uses are left by a process that was killed; they
 * count unless other programs are around, which may have left them.
 *
 * @param all All names of the moment.
 */
export function ownNames(names: readonly string[], all: ReadonlySet<string>): string[] {
  if (names.length === 0) return [];
  const users = new Map<string, { ours: boolean; foreign: boolean }>();
  for (const name of all) users.set(groupOf(name), { ours: false, foreign: false });
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const uses = usesOf(pid);
    const used = new Set(
      [...uses.matchAll(/\/dev\/shm\/(\S+)/g)]
        .map(([, name]) => groupOf(name as string))
        .filter((group) => users.has(group)),
    );
    if (used.size === 0) continue;
    const who = isOurs(pid) ? 'ours' : 'foreign';
    for (const group of used) (users.get(group) as { ours: boolean; foreign: boolean })[who] = true;
  }
  const othersAround = [...users.values()].some(({ foreign }) => foreign);
  return names.filter((name) => {
    const { ours, foreign } = users.get(groupOf(name)) ?? { ours: false, foreign: false };
    return ours || (!foreign && !othersAround);
  });
}
