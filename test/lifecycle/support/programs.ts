// SPDX-License-Identifier: MIT
//
// The programs of the lifecycle tests, and what can be seen of a process from outside: the system call in which each of
// its threads sleeps. That a call really blocks is thereby a fact to wait for, instead of a guess about time.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { packageRoot } from '../../helpers/environment.js';
import type { Peer, Program } from '../../helpers/peers.js';
import type { Python } from '../../helpers/pythons.js';

/** A compiled test/lifecycle/children/<name>.ts. `execArgv` are options for node itself. */
export function child(name: string, execArgv: readonly string[] = []): Program {
  const file = join(packageRoot, 'out', 'test', 'lifecycle', 'children', `${name}.js`);
  return { language: 'node', label: 'node', command: process.execPath, args: [...execArgv, file] };
}

/** test/lifecycle/children/<name>.py, run by `python`. */
export function pythonChild(python: Python, name: string): Program {
  const file = join(packageRoot, 'test', 'lifecycle', 'children', `${name}.py`);
  return { language: 'python', label: `python${python.version}`, command: python.path, args: ['-u', file] };
}

/**
 * The program under a limit of descriptors. Node raises the soft limit to the hard limit, so both are set. A
 * sanitizer's runtime is for Node alone, and some shells do not even start with it.
 */
export function limited(program: Program, limit: number): Program {
  const preload = `LD_PRELOAD=${process.env['LD_PRELOAD'] ?? ''}`;
  const args = ['-c', `ulimit -n ${limit} && exec env "$@"`, 'sh', preload, program.command, ...program.args];
  return { language: 'c', label: 'limited node', command: 'sh', args };
}

/** The JSON that a child prints. The child decides its shape, and the test compares it with what it expects. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Report = any;

/** The next line of a peer's output, as JSON. */
export async function report(peer: Peer): Promise<Report> {
  return JSON.parse(await peer.line());
}

/** Numbers of system calls, by the kind of call that sleeps in them. */
type Sleep = 'sync call' | 'sync read' | 'sync poll' | 'event loop' | 'poll' | 'read' | 'write' | 'futex';

const x64: Record<Sleep, readonly number[]> = {
  'sync call': [271, 19, 20, 44, 46, 47], // Any of the next two, writev, sendto and sendmsg.
  'sync read': [19, 47], // readv, recvmsg
  'sync poll': [271], // ppoll
  'event loop': [232, 281], // epoll_wait, epoll_pwait
  poll: [7, 271],
  read: [0],
  write: [1],
  futex: [202],
};
const arm64: Record<Sleep, readonly number[]> = {
  'sync call': [73, 65, 66, 206, 211, 212],
  'sync read': [65, 212],
  'sync poll': [73],
  'event loop': [22],
  poll: [73],
  read: [63],
  write: [64],
  futex: [98],
};
const numbers = process.arch === 'arm64' ? arm64 : x64;

/** The threads of a process that sleep in this kind of call. */
function sleepers(pid: number, sleep: Sleep): number[] {
  const folder = `/proc/${pid}/task`;
  if (!existsSync(folder)) throw new Error(`Process ${pid} has ended instead of waiting`);
  return readdirSync(folder)
    .map(Number)
    .filter((tid) => {
      try {
        // The file of a running thread contains "running" instead of a number.
        const call = /^\d+/.exec(readFileSync(`/proc/${pid}/task/${tid}/syscall`, 'utf8'))?.[0];
        return call !== undefined && numbers[sleep].includes(Number(call));
      } catch {
        return false;
      }
    });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Resolves when the main thread of a process sleeps in this kind of call. Rejects if the process is gone. */
export function untilAsleep(pid: number, sleep: Sleep): Promise<void> {
  return until(() => sleepers(pid, sleep).includes(pid));
}

/** Resolves when `count` threads other than the main thread sleep in this kind of call. */
export function untilWorkersAsleep(pid: number, sleep: Sleep, count = 1): Promise<void> {
  return until(() => sleepers(pid, sleep).filter((tid) => tid !== pid).length >= count);
}

/** Resolves when one thread of a process sleeps in one of these kinds of calls. */
export function untilThreadAsleep(pid: number, tid: number, ...kinds: Sleep[]): Promise<void> {
  return until(() => kinds.some((sleep) => sleepers(pid, sleep).includes(tid)));
}

/** The state letter of a process, such as S for asleep and Z for ended but not waited for. */
export function stateOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat[stat.lastIndexOf(')') + 2];
}

/** Resolves when all `count` children of a process have ended, of which SIGCHLD tells the process. */
export function untilChildrenEnded(pid: number, count: number): Promise<void> {
  return until(() => {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    return children.length >= count && children.every((number) => stateOf(Number(number)) === 'Z');
  });
}
