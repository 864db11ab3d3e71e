// SPDX-License-Identifier: MIT
//
// Starts a child process of any language and supervises it until it ends.
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { accessSync, closeSync, constants as modes, openSync, readSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { causeOf, type ChildFailure, type ReportedFailure } from '../core/error-report.js';
import { ChildProcessError, systemError } from '../core/errors.js';
import { isURL } from '../core/realms.js';
import { flushUnwritten } from '../event-loop/sync-wait.js';
import { native } from '../native/addon.js';
import { Inheritance } from '../reduction/inheritance.js';
import { duplicate } from '../reduction/exporters.js';
import type { ChildIdentity, Launched } from './base-process.js';
import { BootstrapChannel, type Report } from './bootstrap.js';
import type { CommonProcessOptions } from './options.js';
import { printsHere, markPrinted } from './printed-failure.js';
import { RunningChild } from './running-child.js';

/** A program to run, with its arguments and environment. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  /** The name of the program in error messages. Default: its command. */
  readonly label?: string | undefined;
  readonly env: NodeJS.ProcessEnv | undefined;
}

/** Starts children of one language. The methods are called in this order. */
export interface Spawner {
  /** Whether the child uses this package. */
  readonly node: boolean;
  /**
   * Returns the program to run, and adds everything else that the child needs to the inheritance.
   *
   * @param channel The number of the bootstrap channel in the child.
   */
  command(channel: number, inheritance: Inheritance): Command;
  /** Sends the child its task. */
  send(channel: BootstrapChannel): Promise<void>;
  /** Called when the child has ended, before any caller is told. */
  ended?(): void;
  /** Explains the end of a child that has neither called its function nor reported why. */
  explain?(exitcode: number, attached: boolean): ChildFailure | undefined;
}

/** Starts a child with a channel to it, or throws and leaves nothing behind. */
export function launchChild(
  identity: ChildIdentity,
  { stdio: given, cwd }: CommonProcessOptions,
  spawner: Spawner,
): Launched {
  flushUnwritten();
  const stdio = standardStreams(given);
  const [ours, theirs] = BootstrapChannel.pair(spawner.node);
  const inheritance = new Inheritance(stdio.length, spawner.node);
  try {
    const { fd } = inheritance.descriptor(theirs.fileno());
    const { command, args, label, env } = spawner.command(fd, inheritance);
    const started = launchProgram(command, args, stdio, inheritance.fds, { env, cwd }, label);
    theirs.close();
    const launched = supervise(started, identity, ours, inheritance, spawner, printsHere(stdio));
    // Written at once, since the caller may keep the event loop busy from here on, or end.
    flushUnwritten();
    return launched;
  } catch (error) {
    inheritance.failed();
    ours.close();
    theirs.close();
    throw error;
  }
}

/**
 * Follows a started child: reads its reports, and releases what it no longer needs.
 *
 * @param printed Whether the child prints its errors where this process prints its own.
 */
function supervise(
  { process: child, pid }: ReturnType<typeof launchProgram>,
  { name, endsWithParent }: ChildIdentity,
  channel: BootstrapChannel,
  inheritance: Inheritance,
  spawner: Spawner,
  printed: boolean,
): Launched {
  let failure: ReportedFailure | undefined;
  let undelivered: ChildFailure | undefined;
  let attached = false;
  let reached = false;
  const onEnd = (): void => {
    channel.end();
    inheritance.attached();
    spawner.ended?.();
  };
  const running = new RunningChild(child, pid, endsWithParent, onEnd, channel.fd);
  const onReport = (report: Report): void => {
    if (report.type === 'failed') {
      failure ??= report;
    } else if (report.type === 'running') {
      reached = true;
    } else {
      attached = true;
      inheritance.attached();
    }
  };
  channel.listen(onReport, () => {
    running.ending();
  });
  spawner.send(channel).catch((error: unknown) => {
    undelivered = undeliveredTask(error);
    // The child would wait for its task for ever.
    channel.close();
  });
  return {
    child: running,
    // Created in the call that waits for the child: that stack says more than the stack of the report.
    failure() {
      const exitcode = running.exitcode ?? 0;
      // A function that was called, and whose error the program caught itself to end with code 0, has not failed.
      if (reached && (failure === undefined || exitcode === 0)) return undefined;
      if (failure === undefined && running.killed) return undefined;
      const found = failure ?? undelivered ?? spawner.explain?.(exitcode, attached) ?? notReached(exitcode, attached);
      const error = new ChildProcessError(name, pid, found, causeOf(found));
      return failure !== undefined && printed ? markPrinted(error) : error;
    },
  };
}

/** Why a child did not get its task; undefined if that is because the child has ended, which says more. */
function undeliveredTask(error: unknown): ChildFailure | undefined {
  const { code, errno, message } = error as NodeJS.ErrnoException;
  if (errno === undefined || code === 'EPIPE' || code === 'ECONNRESET') return undefined;
  return { stage: 'attach', message: `its arguments could not be sent (${message})`, stack: '' };
}

/** The failure of a child that has ended without a report of a failure, and did not get to its function. */
function notReached(exitcode: number, attached: boolean): ChildFailure {
  const { signals } = constants;
  const signal = Object.entries(signals).find(([, number]) => number === -exitcode)?.[0] ?? `signal ${-exitcode}`;
  const end = exitcode < 0 ? `it was ended by ${signal}` : `it ended with exit code ${exitcode}`;
  // What Node prints in this case names a line of its own source.
  const hint =
    exitcode === -signals.SIGABRT || exitcode === -signals.SIGTRAP
      ? '. Perhaps it could not start its threads: see the limit on processes (ulimit -u, or pids.max of its control group)'
      : '';
  if (attached) return { stage: 'import', message: `${end} before it called its function${hint}`, stack: '' };
  return { stage: 'attach', message: `${end} before it received its arguments${hint}`, stack: '' };
}

/** The entries of `stdio` as child_process takes them, at least three. Missing ones are inherited. */
function standardStreams(stdio: StdioOptions | undefined): (StdioOptions & readonly unknown[])[number][] {
  const entries = typeof stdio === 'string' ? [stdio, stdio, stdio] : [...(stdio ?? [])];
  while (entries.length < 3) entries.push('inherit');
  return entries;
}

/**
 * Starts a program that inherits `fds` as its descriptors from `stdio.length` on. Throws if no process could be
 * started.
 *
 * @param label The name of the program in error messages. Default: its command.
 */
function launchProgram(
  command: string,
  args: readonly string[],
  stdio: readonly unknown[],
  fds: readonly number[],
  options: { readonly env: NodeJS.ProcessEnv | undefined; readonly cwd: string | URL | undefined },
  label = command,
): { process: ChildProcess; pid: number } {
  const { env, cwd } = options;
  const pipes = stdio.filter((entry) => ['pipe', 'overlapped', undefined, null].includes(entry as string)).length;
  // Node makes the pipes one by one. If descriptors run out before the last one, Node leaves the others open.
  const room = (count: number): (() => void) => openMany(fds[0] as number, count);
  const missing = pipes > 0 ? failureOf(room(2 * pipes + OTHER_DESCRIPTORS), 'spawn') : undefined;
  if (missing !== undefined) throw missing;
  // Loaded on first use: most processes are children that start no processes themselves.
  const { spawn } = process.getBuiltinModule('node:child_process');
  const child = spawn(command, args, {
    stdio: [...stdio, ...fds] as StdioOptions,
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (child.pid !== undefined) return { process: child, pid: child.pid };
  // The 'error' event arrives too late for the caller of start(), which gets the error thrown below.
  child.on('error', () => undefined);
  throw whyNot(command, label, { env: env ?? process.env, cwd }, room(OTHER_DESCRIPTORS));
}

/** The error that a call throws, as a system error of `syscall` if it is one; undefined if the call succeeds. */
function failureOf(call: () => void, syscall: string, detail?: string): Error | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    // An error of another kind, such as a permission that Node itself refuses, says what it is.
    return errno === undefined ? (error as Error) : systemError(errno, syscall, detail);
  }
}

/** How many descriptors Node needs besides the pipes, to learn whether the program runs. */
const OTHER_DESCRIPTORS = 2;

/** Returns a function that throws unless `count` descriptors can be opened. They are copies of `fd`. */
function openMany(fd: number, count: number): () => void {
  return () => {
    const copies: number[] = [];
    try {
      while (copies.length < count) copies.push(duplicate(fd));
    } finally {
      copies.forEach((copy) => {
        native.closeDescriptor(copy);
      });
    }
  };
}

/**
 * Finds out why a program was not started. Node reports the reason in an event that arrives too late, so this tests the
 * possible reasons.
 */
function whyNot(
  command: string,
  label: string,
  { env, cwd }: { readonly env: NodeJS.ProcessEnv; readonly cwd: string | URL | undefined },
  openOthers: () => void,
): Error {
  const folder = isURL(cwd) ? fileURLToPath(cwd) : resolve(cwd ?? '.');
  const check = (): void => {
    accessSync(folder, modes.X_OK);
  };
  const inCwd = cwd === undefined ? undefined : failureOf(check, 'chdir', folder);
  const open = failureOf(openOthers, 'spawn');
  // If no other reason applies, the limit on processes was reached.
  return (
    inCwd ??
    open ??
    notAProgram(command, label, folder, env['PATH'] ?? '') ??
    systemError(-constants.errno.EAGAIN, 'spawn')
  );
}

/** Why the system cannot run a program; undefined if it can. */
function notAProgram(command: string, label: string, cwd: string, searched: string): Error | undefined {
  if (command.includes('/')) return failureOf(runs(resolve(cwd, command)), 'spawn', label);
  const failures = searched
    .split(delimiter)
    .map((folder) => failureOf(runs(resolve(cwd, folder, command)), 'spawn', label));
  if (failures.includes(undefined)) return undefined;
  // A program that may not be run is searched for in the remaining folders, and reported if it is in none of them.
  const denied = failures.find((failure) => (failure as NodeJS.ErrnoException).code === 'EACCES');
  return denied ?? systemError(-constants.errno.ENOENT, 'spawn', `${label} was not found in the PATH`);
}

/** Returns a function that throws unless a file can be run. */
function runs(file: string): () => void {
  return () => {
    accessSync(file, modes.X_OK);
    // A folder has the same permission for another purpose.
    if (statSync(file).isDirectory()) throw Object.assign(new Error(), { errno: -constants.errno.EACCES });
    const interpreter = interpreterOf(file);
    if (interpreter !== undefined) runs(interpreter)();
  };
}

/** The program that runs a script, as the script's first line names it; undefined for any other file. */
function interpreterOf(file: string): string | undefined {
  const line = Buffer.alloc(256);
  const unreadable = failureOf(() => {
    const fd = openSync(file, 'r');
    try {
      readSync(fd, line);
    } finally {
      closeSync(fd);
    }
  }, 'read');
  // A program that this user may run and not read is no script.
  if (unreadable !== undefined) return undefined;
  return /^#![ \t]*([^\s\0]+)/.exec(line.toString())?.[1];
}
