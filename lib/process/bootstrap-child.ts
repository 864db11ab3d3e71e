// SPDX-License-Identifier: MIT
//
// The child's side of bootstrap.ts: adopts the inherited objects, finds the function and runs it.
import { fstatSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { isAbsolute } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { format } from 'node:util';

import type { PickledArguments, Preparation, Report } from './bootstrap.js';
import { Connection } from '../connection/connection.js';
import { becomeChild } from './current-process.js';
import { DAEMON_GRACE_MS } from './options.js';
import { EOFError, systemError, TruncatedMessageError, type ChildFailure } from '../core/errors.js';
import { native } from '../native/addon.js';
import { inherited } from '../reduction/inheritance.js';
import { rebuildValue } from '../reduction/reduce-value.js';
import { duplicate, type Importer } from '../reduction/transfer.js';

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : format('%o', error);
}

/** The longest text in a report. A report must fit the buffer of the socket, since the parent may not be reading. */
const MOST_CHARACTERS = 16 * 1024;

function clipped(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)} ...`;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? messageOf(error)) : messageOf(error);
}

/** Reports failures to the parent, and prints the name of the process before the error that Node prints. */
class Reporter {
  readonly #channel: Connection<Report, Preparation> | undefined;
  readonly #name: string;
  stage: ChildFailure['stage'] = 'attach';

  /** @param channel Undefined if the parent reads no reports. */
  constructor(channel: Connection<Report, Preparation> | undefined, name: string) {
    this.#channel = channel;
    this.#name = name;
    process.on('uncaughtExceptionMonitor', (error: unknown) => {
      writeSync(2, `Process ${this.#name}:\n`);
      const [message, stack] = [messageOf(error), stackOf(error)].map(clipped) as [string, string];
      this.#send({ type: 'failed', stage: this.stage, message, stack });
    });
  }

  attached(): void {
    this.#send({ type: 'attached' });
    this.stage = 'import';
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

/** What to write in the place of a target that is no export. */
function adviceFor(main: unknown, name: string): string {
  if (typeof main === 'function' && main.name === name) return "Pass target: 'default'";
  // A function that is written in the place of the option gets the name of the option.
  return name === 'target'
    ? 'A function that is written in place cannot be found by a child: export it, and pass it or its name'
    : 'Write `export` before the function, or pass the name of its export as a string';
}

/** Finds an exported function. If there is none, the error lists the exports of the module. */
function findTarget(module: Record<string, unknown>, url: string, name: string): (...args: unknown[]) => unknown {
  // require() returns the exports of a CommonJS module directly, import() puts them below `default`.
  const main = module['default'];
  const commonJs = Object(main) === main ? (main as Record<string, unknown>) : {};
  const found = name in module ? module[name] : Object.hasOwn(commonJs, name) ? commonJs[name] : undefined;
  if (typeof found === 'function') return found as (...args: unknown[]) => unknown;
  const names = [...new Set([...Object.keys(module), ...Object.keys(commonJs)])].join(', ') || 'none';
  if (found === undefined) {
    throw new TypeError(`${url} has no export "${name}"; it exports: ${names}. ${adviceFor(main, name)}`);
  }
  throw new TypeError(`The export "${name}" of ${url} is not a function; it exports: ${names}`);
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
  const status = native.semaphores.inheritFamily(family, fd);
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

async function run(
  { module: url, target, args, family }: Preparation,
  reporter: Reporter,
  rebuildPickled: RebuildPickled,
): Promise<void> {
  const values = rebuildArguments(args, family && enter(family), rebuildPickled);
  reporter.attached();
  const module = (await import(isAbsolute(url) ? pathToFileURL(url).href : url)) as Record<string, unknown>;
  reporter.stage = 'export';
  const found = findTarget(module, url, target);
  reporter.stage = 'run';
  await found(...values);
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
 */
export function runChild(fd: number, parent: 'node' | 'python', rebuildPickled: RebuildPickled): void {
  // Practically without a limit on the length: the parent has already serialised the message.
  const options = {
    serialization: parent === 'node' ? 'structured' : 'pickle',
    maxMessageBytes: 2 ** 40,
    asyncSpinMicros: 0,
  } as const;
  const channel = Connection.fromFd<Report, Preparation>(fd, options).unref();
  const preparation = receivePreparation(channel);
  if (preparation === undefined) {
    writeSync(2, `Process ${process.pid}: the parent ended before it had sent all that this process needs\n`);
    process.exitCode = 1;
    return;
  }
  const { role, module, args } = preparation;
  if ('sentinel' in args) keepForMe(args.sentinel);
  becomeChild({ ...role, channel: fd });
  process.argv.push(isAbsolute(module) ? module : fileURLToPath(module));
  const reporter = new Reporter(parent === 'node' ? channel : undefined, role.name);
  if (role.daemon) {
    const status = native.processes.endWithParent(fd, DAEMON_GRACE_MS);
    if (status < 0) throw systemError(status, 'pthread_create');
  }
  run(preparation, reporter, rebuildPickled).catch((error: unknown) => {
    process.nextTick(() => {
      throw error;
    });
  });
}
