// SPDX-License-Identifier: MIT
//
// The conversation between a process and a Node child that it has started, over one socketpair: first what the child is to
// do, then what the child reports. After that the channel carries nothing, and its end tells each of the end of the other.
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { isMainThread } from 'node:worker_threads';

import { Connection } from './connection.js';
import type { Role } from './current-process.js';
import { EOFError, systemError, type ChildFailure } from './errors.js';
import { native } from './native.js';
import type { SharedValue } from './serialization/shared-values.js';
import { duplicate } from './sharing.js';

/** What a child is told first. */
export interface Preparation {
  /** The URL of the module. */
  readonly module: string;
  /** The name of the function among its exports. */
  readonly target: string;
  readonly args: SharedValue;
  readonly role: Omit<Role, 'channel'>;
  /** The family that the child belongs to, and the descriptor that makes it a member. */
  readonly family: { readonly family: string; readonly fd: number } | undefined;
}

/** What it reports. */
export type Report = { readonly type: 'attached' } | ({ readonly type: 'failed' } & ChildFailure);

/** Listens for what a child reports, without keeping the event loop alive. */
export class Reports {
  readonly #connection: Connection<unknown, Report>;
  readonly #onReport: (report: Report) => void;
  /** For a worker's children: the channel stays open when the worker ends, and with it the children that live on. */
  readonly #copy: number;

  constructor(connection: Connection<unknown, Report>, onReport: (report: Report) => void) {
    this.#connection = connection;
    this.#onReport = onReport;
    this.#copy = isMainThread ? -1 : duplicate(connection.fileno());
    this.#listen();
  }

  /** The child has ended: takes what it has reported last. */
  end(): void {
    this.#take();
    this.#connection.close({ discard: true });
    if (this.#copy >= 0) native.closeDescriptor(this.#copy);
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

/** Starts a program whose descriptors from `stdio.length` on are `fds`. Throws if there is no process then. */
export function launchProgram(
  command: string,
  args: readonly string[],
  stdio: readonly unknown[],
  fds: readonly number[],
  options: { readonly env: NodeJS.ProcessEnv | undefined; readonly cwd: string | URL | undefined },
): { process: ChildProcess; pid: number } {
  const { env, cwd } = options;
  const child = spawn(command, args, {
    stdio: [...stdio, ...fds] as StdioOptions,
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (child.pid !== undefined) return { process: child, pid: child.pid };
  // What it emits comes too late for whoever has called start().
  child.on('error', () => undefined);
  if (cwd !== undefined && !existsSync(cwd)) throw systemError(-constants.errno.ENOENT, 'chdir', String(cwd));
  throw systemError(-constants.errno.ENOENT, 'spawn', `${command} cannot be run`);
}
