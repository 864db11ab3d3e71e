// SPDX-License-Identifier: MIT
//
// The conversation between a process and a Node child that it has started, over one socketpair: first what the child is to
// do, then what the child reports, unless the parent is a Python process. After that the channel carries nothing, and its
// end tells each of the end of the other.
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { accessSync, closeSync, constants as modes, openSync } from 'node:fs';
import { constants } from 'node:os';
import { isAbsolute } from 'node:path';

import { Connection } from './connection.js';
import type { Role } from './current-process.js';
import { EOFError, systemError, type ChildFailure } from './errors.js';
import type { PickledArguments } from './python/taking.js';
import type { SharedValue } from './serialization/shared-values.js';

/** What a child is told first. */
export interface Preparation {
  /** The URL of the module. */
  readonly module: string;
  /** The name of the function among its exports. */
  readonly target: string;
  readonly args: SharedValue | PickledArguments;
  readonly role: Omit<Role, 'channel'>;
  /** The family that the child belongs to, and the descriptor that makes it a member. */
  readonly family?: { readonly family: string; readonly fd: number } | undefined;
}

/** What it reports. */
export type Report = { readonly type: 'attached' } | ({ readonly type: 'failed' } & ChildFailure);

/** Listens for what a child reports, without keeping the event loop alive. */
export class Reports {
  readonly #connection: Connection<unknown, Report>;
  readonly #onReport: (report: Report) => void;

  constructor(connection: Connection<unknown, Report>, onReport: (report: Report) => void) {
    this.#connection = connection;
    this.#onReport = onReport;
    this.#listen();
  }

  /** The child has ended: takes what it has reported last. */
  end(): void {
    this.#take();
    this.#connection.close({ discard: true });
  }

  #listen(): void {
    Connection.partsOf(this.#connection).channel.onceReadable(() => {
      if (this.#connection.closed) return;
      if (this.#take()) this.#listen();
    });
  }

  /** False once there will be no more. */
  #take(): boolean {
    try {
      for (;;) {
        const received = this.#connection.tryRecv();
        if (received === undefined) return true;
        this.#onReport(received.value);
      }
    } catch (error) {
      // A child that is killed in the middle of a report, or while it has not read everything, has nothing more to say.
      if (error instanceof EOFError || (error as { code?: unknown }).code !== undefined) return false;
      throw error;
    }
  }
}

/** The first three entries of `stdio` as child_process has them, and where further ones go. Default: inherited. */
export function standardStreams(stdio: StdioOptions | undefined): (StdioOptions & readonly unknown[])[number][] {
  const entries = typeof stdio === 'string' ? [stdio, stdio, stdio] : [...(stdio ?? [])];
  while (entries.length < 3) entries.push('inherit');
  return entries;
}

/**
 * Starts a program whose descriptors from `stdio.length` on are `fds`. Throws if there is no process then.
 *
 * @param what What the program is called in that error. Default: as its command.
 */
export function launchProgram(
  command: string,
  args: readonly string[],
  stdio: readonly unknown[],
  fds: readonly number[],
  options: { readonly env: NodeJS.ProcessEnv | undefined; readonly cwd: string | URL | undefined },
  what = command,
): { process: ChildProcess; pid: number } {
  const { env, cwd } = options;
  const pipes = stdio.filter((entry) => ['pipe', 'overlapped', undefined, null].includes(entry as string)).length;
  // Node leaves pipes open that it has made when descriptors run out before the last one.
  const missing = pipes > 0 ? failureOf(openMany(2 * pipes + OTHER_DESCRIPTORS), 'spawn') : undefined;
  if (missing !== undefined) throw missing;
  // Loaded when it is needed: most processes are children that start none themselves.
  const { spawn } = process.getBuiltinModule('node:child_process');
  const child = spawn(command, args, {
    stdio: [...stdio, ...fds] as StdioOptions,
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (child.pid !== undefined) return { process: child, pid: child.pid };
  // What it emits comes too late for whoever has called start().
  child.on('error', () => undefined);
  throw whyNot(command, what, cwd);
}

/** What a call throws, as an error of `syscall`; undefined if it throws nothing. */
function failureOf(call: () => void, syscall: string, detail?: string): Error | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return systemError((error as { errno: number }).errno, syscall, detail);
  }
}

/** What a start needs for learning whether the program runs. */
const OTHER_DESCRIPTORS = 2;

/** Finds out whether so many descriptors can be opened. */
function openMany(count: number): () => void {
  return () => {
    const fds: number[] = [];
    try {
      while (fds.length < count) fds.push(openSync('/', 'r'));
    } finally {
      fds.forEach((fd) => {
        closeSync(fd);
      });
    }
  };
}

/** Why a program was not started: Node says so in an event that comes too late, so what it can be is looked at. */
function whyNot(command: string, what: string, cwd: string | URL | undefined): Error {
  const runs = (path: string | URL) => () => {
    accessSync(path, modes.X_OK);
  };
  const inCwd = cwd === undefined ? undefined : failureOf(runs(cwd), 'chdir', String(cwd));
  const { ENOENT, EAGAIN } = constants.errno;
  const ofCommand = isAbsolute(command)
    ? failureOf(runs(command), 'spawn', what)
    : systemError(-ENOENT, 'spawn', `${what} is not in the PATH`);
  // Else only the limit for processes is left.
  return inCwd ?? failureOf(openMany(OTHER_DESCRIPTORS), 'spawn') ?? ofCommand ?? systemError(-EAGAIN, 'spawn');
}
