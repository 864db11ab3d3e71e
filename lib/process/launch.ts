// SPDX-License-Identifier: MIT
//
// Starting a child, whatever language it is in, and following it to its end.
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { accessSync, closeSync, constants as modes, openSync } from 'node:fs';
import { constants } from 'node:os';
import { isAbsolute } from 'node:path';

import type { Launched, NewChild } from './base-process.js';
import { Reports, type Report } from './bootstrap.js';
import { Connection } from '../connection/connection.js';
import { ChildProcessError, systemError, type ChildFailure } from '../core/errors.js';
import type { CommonProcessOptions } from './options.js';
import { flushUnwritten } from '../event-loop/sync-wait.js';
import { RunningChild } from './running-child.js';
import { Inheritance } from '../reduction/transfer.js';

/** The other end of the channel to a child. */
export type BootstrapChannel = Connection<never, Report>;

/** How a child of some language is started. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  /** What the program is called in errors. Default: as its command. */
  readonly what?: string | undefined;
  readonly env: NodeJS.ProcessEnv | undefined;
  /** Sends what the child is to do. */
  send(channel: BootstrapChannel): Promise<void>;
  /** Called when the child has ended, before anybody learns of it. */
  afterEnd?(): void;
  /** Why a child has failed that has not said so itself. */
  explain?(exitcode: number, attached: boolean): ChildFailure | undefined;
}

/**
 * Starts a child with a channel to it, or throws and leaves nothing behind.
 *
 * @param node Whether it uses this package.
 * @param prepare Makes the program from the number that the child's end of the channel will have; what else it is to get goes
 *   into the inheritance.
 */
export function launchChild(
  who: NewChild,
  { stdio: given, cwd }: CommonProcessOptions,
  node: boolean,
  prepare: (channel: number, inheritance: Inheritance) => Program,
): Launched {
  flushUnwritten();
  const stdio = standardStreams(given);
  const serialization = node ? 'structured' : 'pickle';
  const options = { serialization, asyncSpinMicros: 0 } as const;
  const [ours, theirs] = Connection.pair(true, options) as unknown as [BootstrapChannel, Connection];
  const inheritance = new Inheritance(stdio.length, node);
  try {
    const program = prepare(inheritance.descriptor(theirs.fileno()).fd, inheritance);
    const { command, args, what, env } = program;
    const started = launchProgram(command, args, stdio, inheritance.fds, { env, cwd }, what);
    theirs.close();
    const launched = supervise(started, who, ours, inheritance, program);
    // A child that ends before it has read this is reported by its end.
    program.send(ours).catch(() => undefined);
    // Now: it must not depend on what the caller does next, or whether he lives until the next turn of the event loop.
    flushUnwritten();
    return launched;
  } catch (error) {
    inheritance.failed();
    ours.close({ discard: true });
    theirs.close();
    throw error;
  }
}

function supervise(
  { process: child, pid }: ReturnType<typeof launchProgram>,
  { name, daemon }: NewChild,
  channel: BootstrapChannel,
  inheritance: Inheritance,
  program: Program,
): Launched {
  let failure: ChildFailure | undefined;
  let attached = false;
  const onEnd = (): void => {
    reports.end();
    inheritance.attached();
    program.afterEnd?.();
  };
  const running = new RunningChild(child, pid, daemon, onEnd, channel.fileno());
  const reports = new Reports(channel as Connection<unknown, Report>, (report) => {
    if (report.type === 'failed') {
      failure ??= report;
    } else {
      attached = true;
      inheritance.attached();
    }
  });
  return {
    child: running,
    // Made where somebody waits for the child, whose stack tells him more than that of the report.
    failure() {
      const found = failure ?? program.explain?.(running.exitcode ?? 0, attached);
      return found && new ChildProcessError(name, pid, found);
    },
  };
}

/** The first three entries of `stdio` as child_process has them, and where further ones go. Default: inherited. */
function standardStreams(stdio: StdioOptions | undefined): (StdioOptions & readonly unknown[])[number][] {
  const entries = typeof stdio === 'string' ? [stdio, stdio, stdio] : [...(stdio ?? [])];
  while (entries.length < 3) entries.push('inherit');
  return entries;
}

/**
 * Starts a program whose descriptors from `stdio.length` on are `fds`. Throws if there is no process then.
 *
 * @param what What the program is called in that error. Default: as its command.
 */
function launchProgram(
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
