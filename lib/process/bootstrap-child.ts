// SPDX-License-Identifier: MIT
//
// The child's side of bootstrap.ts: adopts the inherited objects, finds the function and runs it.
import { fstatSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { PickledArguments, Preparation, Report } from './bootstrap.js';
import { Connection } from '../connection/connection.js';
import { becomeChild, beginFunction } from './current-process.js';
import { importing } from '../core/import-context.js';
import { DAEMON_GRACE_MS } from './options.js';
import { findTarget, loadModule } from './target-module.js';
import { failureOf, type ChildFailure, type ReportedFailure } from '../core/error-report.js';
import { EOFError, systemError, TruncatedMessageError } from '../core/errors.js';
import { native } from '../native/addon.js';
import { inherited } from '../reduction/inheritance.js';
import { rebuildValue } from '../serialization/structured/reduce-value.js';
import { duplicate, type Importer } from '../reduction/exporters.js';
import { setImmediate } from '../core/own-turns.js';

/** The exit code of a program that ends although something waits for it, as that of a module of Node. */
const UNSETTLED = 13;

/** Reports to the parent how far this process has got, and prints its name before the error that Node prints. */
class Reporter {
  readonly #channel: Connection<Report, Preparation> | undefined;
  name = String(process.pid);
  stage: ChildFailure['stage'] = 'attach';
  /** Whether the function has returned, and its promise is settled. */
  settled = false;

  /** @param channel Undefined if the parent reads no reports. */
  constructor(channel: Connection<Report, Preparation> | undefined) {
    this.#channel = channel;
    process.on('uncaughtExceptionMonitor', (error: unknown) => {
      this.#failed(failureOf(error, this.stage));
      this.#print('');
    });
    let ranEmpty = false;
    process.on('beforeExit', () => {
      ranEmpty = true;
      // Runs only if a later listener has given the process something to do.
      setImmediate(() => {
        ranEmpty = false;
      }).unref();
    });
    process.on('exit', () => {
      // What calls process.exit() has its reasons.
      if (!ranEmpty || this.settled || process.exitCode !== undefined) return;
      process.exitCode = UNSETTLED;
      const what = this.stage === 'run' ? 'the function returned' : 'its module awaits at the top level';
      const message = `the promise that ${what} is not settled, and nothing is left that could settle it`;
      this.#failed({ stage: this.stage, message, stack: '' });
      this.#print(`${message}\n`);
    });
  }

  attached(): void {
    this.#send({ type: 'attached' });
    this.stage = 'import';
  }

  running(): void {
    this.#send({ type: 'running' });
    this.stage = 'run';
  }

  #failed(failure: ReportedFailure): void {
    try {
      this.#send({ type: 'failed', ...failure });
    } catch {
      // The program may have closed the channel. The error that is reported here matters more than that.
    }
  }

  #print(text: string): void {
    try {
      writeSync(2, `Process ${this.name}:\n${text}`);
    } catch {
      // The standard error may be closed, or full and not waited for.
    }
  }

  #send(report: Report): void {
    try {
      this.#channel?.sendSync(report);
    } catch (error) {
      // The parent has ended, so the report has no reader.
      if ((error as { code?: unknown }).code !== 'EPIPE') throw error;
    }
  }
}

/**
 * Joins the parent's family. If the family belongs to another user, this process cannot join, and the id of that user
 * is returned.
 */
function enter({ family, fd }: NonNullable<Preparation['family']>): number | undefined {
  const { uid } = fstatSync(fd);
  if (uid !== process.geteuid?.()) {
    native.closeDescriptor(fd);
    return uid;
  }
  const status = native.families.inherit(family, fd);
  // The creator may have left the family meanwhile. Then the names are gone, and no semaphore can be attached.
  if (status < 0 && status !== -constants.errno.ENOENT && status !== -constants.errno.ESTALE) {
    throw systemError(status, 'flock', 'this process cannot use the register of the semaphore names');
  }
  return undefined;
}

/**
 * Rebuilds the arguments that a Python parent sent. child-main.ts passes this in, so that the Python modules are loaded
 * only when they are needed.
 */
export type RebuildPickled = (args: PickledArguments, importer: Importer) => unknown[];

/** @param owner The id of the user that owns the family's semaphores, if this process may not open them. */
function rebuildArguments(
  args: Preparation['args'],
  owner: number | undefined,
  rebuildPickled: RebuildPickled,
): unknown[] {
  try {
    return 'pickle' in args ? rebuildPickled(args, inherited) : (rebuildValue(args, inherited) as unknown[]);
  } catch (error) {
    if (owner === undefined || (error as { code?: unknown }).code !== 'ENOENT') throw error;
    const identity = `this process runs as user ${process.geteuid?.()}`;
    const detail = `the semaphores belong to user ${owner}, and ${identity}`;
    throw systemError(-constants.errno.EACCES, 'sem_open', detail, { cause: error });
  }
}

/** Loads the function, and returns what calls it with its arguments. */
async function load(
  { module: url, target, args, family }: Preparation,
  reporter: Reporter,
  rebuildPickled: RebuildPickled,
): Promise<() => unknown> {
  const values = rebuildArguments(args, family && enter(family), rebuildPickled);
  reporter.attached();
  const module = await importing(() => loadModule(url));
  reporter.stage = 'export';
  const found = findTarget(module, url, target);
  beginFunction();
  reporter.running();
  return () => found(...values);
}

/** Undefined if the parent ended before it had sent the whole preparation. */
function receivePreparation(channel: Connection<Report, Preparation>): Preparation | undefined {
  try {
    return channel.recvSync();
  } catch (error) {
    if (error instanceof EOFError || error instanceof TruncatedMessageError) return undefined;
    throw error;
  }
}

/** Keeps a descriptor open until this process ends, as a close-on-exec copy that no other process inherits. */
function keepForMe(fd: number): void {
  duplicate(fd);
  native.closeDescriptor(fd);
}

/**
 * Runs the child's part of the protocol: receives the preparation, then finds and runs the function.
 *
 * @param fd The descriptor of the bootstrap channel.
 * @returns Resolves to true when the function was called, and to false if it cannot be.
 */
export function runChild(fd: number, parent: 'node' | 'python', rebuildPickled: RebuildPickled): Promise<boolean> {
  // Practically without a limit on the length: the parent has already serialised the message.
  const options = {
    serialization: parent === 'node' ? 'structured' : 'pickle',
    maxMessageBytes: 2 ** 40,
    asyncSpinMicros: 0,
  } as const;
  const channel = Connection.fromFd<Report, Preparation>(fd, options).unref();
  const reporter = new Reporter(parent === 'node' ? channel : undefined);
  const preparation = receivePreparation(channel);
  if (preparation === undefined) {
    writeSync(2, `Process ${process.pid}: the parent ended before it had sent all that this process needs\n`);
    process.exitCode = 1;
    return Promise.resolve(false);
  }
  const { role, module, args, endsWithParent = role.daemon } = preparation;
  if ('sentinel' in args) keepForMe(args.sentinel);
  becomeChild({ ...role, channel: fd });
  process.argv.push(isAbsolute(module) ? module : fileURLToPath(module));
  reporter.name = role.name;
  if (endsWithParent) {
    const status = native.processes.endWithParent(fd, DAEMON_GRACE_MS);
    if (status < 0) throw systemError(status, 'pthread_create');
  }
  const loaded = load(preparation, reporter, rebuildPickled);
  const settle = (): void => {
    reporter.settled = true;
  };
  loaded
    .then((call) => call())
    .then(settle, (error: unknown) => {
      settle();
      process.nextTick(() => {
        throw error;
      });
    });
  return loaded.then(
    () => true,
    () => false,
  );
}
