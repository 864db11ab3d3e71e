// SPDX-License-Identifier: MIT
//
// The child's side of bootstrap.ts: takes over what it was given, finds the function and runs it.
import { fstatSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { isAbsolute } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { format } from 'node:util';

import type { Preparation, Report } from './bootstrap.js';
import { Connection } from '../connection/connection.js';
import { becomeChild } from './current-process.js';
import { EOFError, systemError, TruncatedMessageError, type ChildFailure } from '../core/errors.js';
import { takeValue } from '../reduction/reduce-value.js';
import { native } from '../native/addon.js';
import { part } from '../reduction/registry.js';
import { duplicate, inherited } from '../reduction/transfer.js';

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : format('%o', error);
}

/** How long a daemon may take to end by itself after its parent has ended, in milliseconds. */
const GRACE_MS = 2000;

/** A report must fit what a parent that does not listen leaves room for. */
const MOST_CHARACTERS = 16 * 1024;

function clipped(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)} ...`;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? messageOf(error)) : messageOf(error);
}

/** Reports failures to the parent, and prints who has failed above what Node prints. */
class Reporter {
  readonly #channel: Connection<Report, Preparation> | undefined;
  readonly #name: string;
  stage: ChildFailure['stage'] = 'attach';

  /** @param channel Undefined if the parent does not listen. */
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
      // A parent that has ended does not want to know any more.
      if ((error as { code?: unknown }).code !== 'EPIPE') throw error;
    }
  }
}

/** Finds an export. What it throws names those that there are. */
function findTarget(module: Record<string, unknown>, url: string, name: string): (...args: unknown[]) => unknown {
  // require() gives CommonJS exports as they are, import() puts them below `default`.
  const main = module['default'];
  const commonJs = Object(main) === main ? (main as Record<string, unknown>) : {};
  const found = name in module ? module[name] : Object.hasOwn(commonJs, name) ? commonJs[name] : undefined;
  if (typeof found === 'function') return found as (...args: unknown[]) => unknown;
  const names = [...new Set([...Object.keys(module), ...Object.keys(commonJs)])].join(', ') || 'none';
  if (found === undefined) throw new TypeError(`${url} has no export "${name}"; it exports: ${names}`);
  throw new TypeError(`The export "${name}" of ${url} is no function; it exports: ${names}`);
}

/** Becomes a member of the parent's family. Returns whose it is, if it is that of another user and cannot be entered. */
function enter({ family, fd }: NonNullable<Preparation['family']>): number | undefined {
  const { uid } = fstatSync(fd);
  if (uid !== process.geteuid?.()) {
    native.closeDescriptor(fd);
    return uid;
  }
  const status = native.semaphores.inheritFamily(family, fd);
  // Its creator may have left it in the meantime, and with its names it is gone: nothing can be attached then.
  if (status < 0 && status !== -constants.errno.ENOENT && status !== -constants.errno.ESTALE) {
    throw systemError(status, 'flock', 'the register of the semaphores cannot be used by this process');
  }
  return undefined;
}

function takeArguments(args: Preparation['args'], strangers: number | undefined): unknown[] {
  try {
    return 'pickle' in args ? part('python').takePickled(args, inherited) : (takeValue(args, inherited) as unknown[]);
  } catch (error) {
    if (strangers === undefined || (error as { code?: unknown }).code !== 'ENOENT') throw error;
    const us = `this process runs as user ${process.geteuid?.()}`;
    throw systemError(-constants.errno.EACCES, 'sem_open', `the semaphores belong to user ${strangers}, and ${us}`);
  }
}

async function run({ module: url, target, args, family }: Preparation, reporter: Reporter): Promise<void> {
  const values = takeArguments(args, family && enter(family));
  reporter.attached();
  const module = (await import(isAbsolute(url) ? pathToFileURL(url).href : url)) as Record<string, unknown>;
  reporter.stage = 'export';
  const found = findTarget(module, url, target);
  reporter.stage = 'run';
  await found(...values);
}

/** Undefined if the parent has ended before it had sent all of it. */
function receivePreparation(channel: Connection<Report, Preparation>): Preparation | undefined {
  try {
    return channel.recvSync();
  } catch (error) {
    if (error instanceof EOFError || error instanceof TruncatedMessageError) return undefined;
    throw error;
  }
}

/** Keeps a descriptor open to the end, for this process alone. */
function keepForMe(fd: number): void {
  duplicate(fd);
  native.closeDescriptor(fd);
}

/** Does what the process was started for. */
export function runChild(fd: number, parent: 'node' | 'python'): void {
  // As long as memory reaches, since the parent has serialised it already.
  const options = {
    serialization: parent === 'node' ? 'structured' : 'pickle',
    maxMessageBytes: 2 ** 40,
    asyncSpinMicros: 0,
  } as const;
  const channel = Connection.fromFd<Report, Preparation>(fd, options).unref();
  const preparation = receivePreparation(channel);
  if (preparation === undefined) {
    writeSync(2, `Process ${process.pid}: its parent has ended before it had passed everything on\n`);
    process.exitCode = 1;
    return;
  }
  const { role, module, args } = preparation;
  if ('sentinel' in args) keepForMe(args.sentinel);
  becomeChild({ ...role, channel: fd });
  process.argv.push(isAbsolute(module) ? module : fileURLToPath(module));
  const reporter = new Reporter(parent === 'node' ? channel : undefined, role.name);
  if (role.daemon) {
    const status = native.processes.endWithParent(fd, GRACE_MS);
    if (status < 0) throw systemError(status, 'pthread_create');
  }
  run(preparation, reporter).catch((error: unknown) => {
    process.nextTick(() => {
      throw error;
    });
  });
}
