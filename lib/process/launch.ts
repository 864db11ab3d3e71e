// SPDX-License-Identifier: MIT
//
// Starting a child, whatever its language, and following it to its end.
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { accessSync, closeSync, constants as modes, openSync } from 'node:fs';
import { constants } from 'node:os';
import { isAbsolute } from 'node:path';

import { ChildProcessError, systemError, type ChildFailure } from '../core/errors.js';
import { flushUnwritten } from '../event-loop/sync-wait.js';
import { Inheritance } from '../reduction/inheritance.js';
import type { ChildIdentity, Launched } from './base-process.js';
import { BootstrapChannel } from './bootstrap.js';
import type { CommonProcessOptions } from './options.js';
import { RunningChild } from './running-child.js';

/** A program and its arguments. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  /** What errors call the program. Default: its command. */
  readonly what?: string | undefined;
  readonly env: NodeJS.ProcessEnv | undefined;
}

/** How children of one language are started. The methods are called in this order. */
export interface Spawner {
  /** Whether the child uses this package. */
  readonly node: boolean;
  /**
   * The program to run. Everything else that the child is to get goes into the inheritance.
   *
   * @param channel The number that the child's end of the bootstrap channel will have.
   */
  command(channel: number, inheritance: Inheritance): Command;
  /** Sends what the child is to do. */
  send(channel: BootstrapChannel): Promise<void>;
  /** The child has ended. No caller has learned of it yet. */
  ended?(): void;
  /** Why a child has failed that has not said so itself. */
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
    const { command, args, what, env } = spawner.command(fd, inheritance);
    const started = launchProgram(command, args, stdio, inheritance.fds, { env, cwd }, what);
    theirs.close();
    const launched = supervise(started, identity, ours, inheritance, spawner);
    // A child that ends before it has read this is reported by its end.
    spawner.send(ours).catch(() => undefined);
    // At once: the caller may keep the event loop busy from here on, or end.
    flushUnwritten();
    return launched;
  } catch (error) {
    inheritance.failed();
    ours.close();
    theirs.close();
    throw error;
  }
}

function supervise(
  { process: child, pid }: ReturnType<typeof launchProgram>,
  { name, daemon }: ChildIdentity,
  channel: BootstrapChannel,
  inheritance: Inheritance,
  spawner: Spawner,
): Launched {
  let failure: ChildFailure | undefined;
  let attached = false;
  const onEnd = (): void => {
    channel.end();
    inheritance.attached();
    spawner.ended?.();
  };
  const running = new RunningChild(child, pid, daemon, onEnd, channel.fd);
  channel.listen((report) => {
    if (report.type === 'failed') {
      failure ??= report;
    } else {
      attached = true;
      inheritance.attached();
    }
  });
  return {
    child: running,
    // Made where the caller waits for the child: that stack says more than the stack of the report.
    failure() {
      const found = failure ?? spawner.explain?.(running.exitcode ?? 0, attached);
      return found && new ChildProcessError(name, pid, found);
    },
  };
}

/** The first three entries of `stdio` as child_process has them, and further ones. Default: inherited. */
function standardStreams(stdio: StdioOptions | undefined): (StdioOptions & readonly unknown[])[number][] {
  const entries = typeof stdio === 'string' ? [stdio, stdio, stdio] : [...(stdio ?? [])];
  while (entries.length < 3) entries.push('inherit');
  return entries;
}

/**
 * Starts a program whose descriptors from `stdio.length` on are `fds`. Throws if no process could be started.
 *
 * @param what What errors call the program. Default: its command.
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
  // Node makes the pipes one by one. When descriptors run out before the last one, Node leaves the others open.
  const missing = pipes > 0 ? failureOf(openMany(2 * pipes + OTHER_DESCRIPTORS), 'spawn') : undefined;
  if (missing !== undefined) throw missing;
  // Loaded at the first use: most processes are children that start none themselves.
  const { spawn } = process.getBuiltinModule('node:child_process');
  const child = spawn(command, args, {
    stdio: [...stdio, ...fds] as StdioOptions,
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (child.pid !== undefined) return { process: child, pid: child.pid };
  // The event comes too late for the caller of start().
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

/** How many descriptors a start needs for learning whether the program runs. */
const OTHER_DESCRIPTORS = 2;

/** A call that throws unless so many descriptors can be opened. */
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

/** Why a program was not started. Node says so in an event that comes too late, so the possible reasons are tried. */
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
