// SPDX-License-Identifier: MIT
//
// Checks whether this system has what the package needs, and what will bite later.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, statfsSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { getSystemErrorName } from 'node:util';

import { findInterpreter } from '../python/interpreter.js';
import type { Native } from '../native/addon.js';
import { count } from './text.js';

/** One thing that was looked at. The keys are those of `doctor --json`. */
export interface Check {
  readonly name: string;
  /** A failure stops the package or a part of it; a warning may. */
  readonly state: 'ok' | 'warning' | 'failure';
  readonly found: string;
  /** What to do about it. */
  readonly advice?: string;
}

/** All checks. The keys are those of `doctor --json`. */
export interface Report {
  readonly checks: readonly Check[];
  /** Whether no check has failed. */
  readonly healthy: boolean;
}

/** Below this, large queues and many semaphores run out of room. Docker gives containers 64 MiB. */
const LITTLE_SHARED_MEMORY = 16 * 1024 * 1024;
const FEW_DESCRIPTORS = 256;

/** Runs all checks. */
export async function examine(): Promise<Report> {
  const checks = [node(), ...(await addon()), sharedMemory(), python(), ...limits(), processors()];
  return { checks, healthy: checks.every(({ state }) => state !== 'failure') };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function node(): Check {
  const { node: version } = process.versions;
  return { name: 'Node', state: 'ok', found: `${version}, ${process.platform}-${process.arch}` };
}

/** Whether the addon loads; and if so, whether its parts work here. */
async function addon(): Promise<Check[]> {
  const name = 'addon';
  try {
    const [{ native }, { addonFile }] = await Promise.all([
      import('../native/addon.js'),
      import('../native/load-addon.js'),
    ]);
    return [{ name, state: 'ok', found: addonFile() }, pipe(native), waiting(native), await leftovers()];
  } catch (error) {
    return [{ name, state: 'failure', found: messageOf(error) }];
  }
}

/** Whether this process can make a pipe: seccomp filters and limits may be in the way. */
function pipe(native: Native): Check {
  const name = 'pipes';
  const ends = new Int32Array(2);
  const status = native.makePair(false, ends, 1, false);
  if (status < 0) return { name, state: 'failure', found: `cannot be made: ${getSystemErrorName(status)}` };
  native.release(ends[0] as number);
  native.release(ends[1] as number);
  return { name, state: 'ok', found: 'can be made' };
}

function waiting(native: Native): Check {
  const name = 'waiting for locks';
  if (native.semaphores.waitsForMany) return { name, state: 'ok', found: 'one thread for many (futex_waitv)' };
  const found = 'in turn, with pauses of 1 to 16 ms';
  const advice = 'Linux 5.16 or later and glibc make asynchronous acquires wake at once';
  return { name, state: 'warning', found, advice };
}

/** What killed processes have left. */
async function leftovers(): Promise<Check> {
  const name = 'leftovers';
  try {
    const { listFamilies } = await import('./families.js');
    const { families } = listFamilies();
    if (families.some(({ members }) => members === null)) return { name, state: 'ok', found: 'not visible here' };
    const left = families.filter(({ members }) => members?.length === 0).length;
    if (left === 0) return { name, state: 'ok', found: 'none' };
    const advice = '"npx node-multiprocessing sweep" removes them; so does the next process that makes a lock';
    return { name, state: 'warning', found: `${count(left, 'family', 'families')} without processes`, advice };
  } catch (error) {
    return { name, state: 'failure', found: messageOf(error) };
  }
}

/** Where semaphores are. */
function sharedMemory(): Check {
  const name = '/dev/shm';
  if (process.platform !== 'linux') return { name, state: 'ok', found: 'not used on this system' };
  const without = 'pipes work without it; locks and queues do not';
  try {
    if (!statSync(name).isDirectory()) return { name, state: 'failure', found: 'is no folder', advice: without };
    accessSync(name, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(name);
    const free = bavail * bsize;
    const found = `writable, ${Math.floor(free / 1024 / 1024)} MiB free`;
    if (free >= LITTLE_SHARED_MEMORY) return { name, state: 'ok', found };
    return {
      name,
      state: 'warning',
      found,
      advice: 'give containers more with --shm-size (Docker: 64 MiB by default)',
    };
  } catch (error) {
    return { name, state: 'failure', found: messageOf(error), advice: without };
  }
}

/** The interpreter of a PythonProcess. */
function python(): Check {
  const name = 'Python';
  const { command, label } = findInterpreter(undefined, process.env, undefined);
  const program =
    'import platform, sys; print(platform.python_implementation(), platform.python_version(), sys.executable)';
  const { status, stdout, error } = spawnSync(command, ['-c', program], { encoding: 'utf8' });
  const advice = 'only PythonProcess and PythonPool need it; their option python names another one';
  if (status !== 0) {
    return { name, state: 'warning', found: `${label}: ${error?.message ?? `exit code ${status}`}`, advice };
  }
  const found = stdout.trim();
  const [implementation, version = ''] = found.split(' ');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (implementation === 'CPython' && (major > 3 || (major === 3 && minor >= 8))) return { name, state: 'ok', found };
  return { name, state: 'warning', found: `${found}; CPython 3.8 or later is needed`, advice };
}

/** The limits of this process, as the report of the runtime has them. */
function limits(): Check[] {
  const { report } = process as { report?: { excludeNetwork?: boolean; getReport(): object } };
  if (report === undefined) return [];
  report.excludeNetwork = true;
  const { userLimits = {} } = report.getReport() as { userLimits?: Record<string, { soft?: number | string }> };
  const descriptors = userLimits['open_files']?.soft;
  const processes = userLimits['max_user_processes']?.soft;
  const few = typeof descriptors === 'number' && descriptors < FEW_DESCRIPTORS;
  return [
    {
      name: 'descriptors',
      state: few ? 'warning' : 'ok',
      found: `at most ${descriptors}`,
      ...(few ? { advice: 'a queue takes four; raise the limit with ulimit -n' } : {}),
    },
    { name: 'processes', state: 'ok', found: `at most ${processes}` },
  ];
}

/** Whether spinning helps. */
function processors(): Check {
  const many = availableParallelism();
  const found = many > 1 ? `${many}; calls spin before they sleep` : '1; calls do not spin';
  return { name: 'processors', state: 'ok', found };
}
