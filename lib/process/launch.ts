// SPDX-License-Identifier: MIT
//
// Starts a child process of any language and supervises it until it ends.
import type { StdioOptions } from 'node:child_process';
import { constants } from 'node:os';

import { causeOf, type ChildFailure, type ReportedFailure } from '../core/error-report.js';
import { ChildProcessError } from '../core/errors.js';
import { flushUnwritten } from '../event-loop/sync-wait.js';
import { Inheritance } from '../reduction/inheritance.js';
import type { ChildIdentity, Launched } from './base-process.js';
import { BootstrapChannel, type Report } from './bootstrap.js';
import type { CommonProcessOptions } from './options.js';
import { printsHere, markPrinted } from './printed-failure.js';
import { launchProgram } from './program.js';
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
