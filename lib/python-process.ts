// SPDX-License-Identifier: MIT
import { delimiter, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { BaseQueue } from './base-queue.js';
import { BaseProcess, type Launched, type NewChild } from './base-process.js';
import { launchProgram, Reports, standardStreams, type Report } from './bootstrap.js';
import { Connection } from './connection.js';
import { argumentError, ChildProcessError, type ChildFailure } from './errors.js';
import { checkCommon, type CommonProcessOptions } from './process.js';
import { lookAfter } from './python/aftermath.js';
import { findInterpreter } from './python/interpreter.js';
import { pythonShape } from './python/shapes.js';
import { commandLine, pickleArguments, spawnPickles, type Task } from './python/spawn.js';
import { flushUnwritten, Hold } from './reactor.js';
import type { PickleNode } from './serialization/pickle/nodes.js';
import { RunningChild } from './running-child.js';
import { Inheritance } from './sharing.js';
import { checkObject } from './validate.js';

/** Options of a `PythonProcess`. */
export interface PythonProcessOptions extends CommonProcessOptions {
  /** The function, as `'module:function'`: `'worker:consumer'`, `'package.module:Class.method'`. */
  target: string;
  /** Its positional arguments. Objects of this package may be anywhere in them. Default: none. */
  args?: readonly unknown[] | undefined;
  /** Its keyword arguments. Default: none. */
  kwargs?: Readonly<Record<string, unknown>> | undefined;
  /**
   * The interpreter, CPython 3.8 or later: a path, or a name on the PATH. Default: the environment variable `PYTHON`, the
   * virtual environment that is active (`VIRTUAL_ENV`), or `python3`.
   */
  python?: string | undefined;
  /** Folders in which modules are looked for first, after the working directory. They precede those in `PYTHONPATH`. */
  pythonPath?: string | URL | readonly (string | URL)[] | undefined;
}

function checkTarget(target: unknown): { module: string; name: string } {
  if (typeof target !== 'string') throw argumentError('type', "target must be a string, 'module:function'");
  const [, module, name] = /^([^:\s/\\]+):([^:\s]+)$/.exec(target) ?? [];
  if (module !== undefined && name !== undefined) return { module, name };
  throw argumentError(
    'range',
    `target must be 'module:function', a module as Python imports it and a function in it, not '${target}'`,
  );
}

function checkFolders(folders: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(folders) ? folders : folders === undefined ? [] : [folders];
  return list.map((folder) => {
    if (folder instanceof URL && folder.protocol === 'file:') return fileURLToPath(folder);
    if (typeof folder === 'string') return resolve(folder);
    throw argumentError('type', 'pythonPath must be a path, a file: URL, or an array of these');
  });
}

function checkKeywords(kwargs: unknown): Record<string, unknown> {
  checkObject(kwargs, 'kwargs');
  const prototype: unknown = Object.getPrototypeOf(kwargs);
  if (prototype === Object.prototype || prototype === null) return kwargs as Record<string, unknown>;
  throw argumentError('type', 'kwargs must be a plain object');
}

/**
 * A Python process that runs a function, started as CPython's own multiprocessing starts its children: nothing has to be
 * installed there, and the function needs to know nothing of Node. CPython: `get_context('spawn').Process`.
 *
 * The function gets its arguments as the pickle codec translates them, and Connections, locks and queues as the objects of
 * `multiprocessing` that they are; the child has its own references to them, so the caller closes what it does not use
 * itself. A channel for which no serialization was chosen and over which nothing was sent yet becomes one of pickles.
 */
export class PythonProcess extends BaseProcess {
  readonly #options: CommonProcessOptions;
  readonly #python: string | undefined;
  readonly #folders: readonly string[];
  readonly #task: Task;

  /** @param options See PythonProcessOptions. Nothing is started yet. */
  constructor(options: PythonProcessOptions) {
    checkObject(options, 'options');
    super(options.name, options.daemon);
    checkCommon(options);
    const { target, args = [], kwargs = {}, python, pythonPath } = options;
    if (!Array.isArray(args)) throw argumentError('type', 'args must be an array');
    if (python !== undefined && typeof python !== 'string') throw argumentError('type', 'python must be a string');
    if (python === '') throw argumentError('range', 'python must not be empty');
    this.#options = options;
    this.#python = python;
    this.#folders = checkFolders(pythonPath);
    this.#task = { ...checkTarget(target), args, kwargs: checkKeywords(kwargs) };
  }

  /** @internal */
  protected override launch(who: NewChild): Launched {
    flushUnwritten();
    const stdio = standardStreams(this.#options.stdio);
    const [ours, theirs] = Connection.pair(true, { serialization: 'pickle' }) as unknown as [
      Connection<never, Report>,
      Connection,
    ];
    const inheritance = new Inheritance(stdio.length, false);
    try {
      const handle = inheritance.descriptor(theirs.fileno()).fd;
      const queues: WeakRef<BaseQueue<unknown>>[] = [];
      const reduce = (object: object): PickleNode | undefined => {
        if (object instanceof BaseQueue) queues.push(new WeakRef(object as BaseQueue<unknown>));
        return pythonShape(object, inheritance);
      };
      const args = pickleArguments(this.#task, { reduce });
      const pickles = spawnPickles(handle, who, this.#task, args);
      const env = this.#environment();
      const { command, what } = findInterpreter(this.#python, env);
      const { cwd } = this.#options;
      const started = launchProgram(command, commandLine(handle), stdio, inheritance.fds, { env, cwd }, what);
      theirs.close();
      const onEnd = (): void => {
        inheritance.attached();
        lookAfter(queues);
      };
      const launched = supervise(started, who, ours, inheritance, onEnd, what);
      // A child that ends before it has read this is reported by its end.
      Connection.partsOf(ours as Connection<never, unknown>)
        .channel.sender.sendUnframed(pickles, new Hold())
        .catch(() => undefined);
      return launched;
    } catch (error) {
      inheritance.failed();
      ours.close({ discard: true });
      theirs.close();
      throw error;
    }
  }

  #environment(): NodeJS.ProcessEnv {
    const env = this.#options.env ?? process.env;
    if (this.#folders.length === 0) return env;
    const existing = env['PYTHONPATH'];
    const folders = existing === undefined || existing === '' ? this.#folders : [...this.#folders, existing];
    return { ...env, PYTHONPATH: folders.join(delimiter) };
  }
}

function supervise(
  { process: child, pid }: ReturnType<typeof launchProgram>,
  { name, daemon }: NewChild,
  channel: Connection<never, Report>,
  inheritance: Inheritance,
  afterEnd: () => void,
  interpreter: string,
): Launched {
  let failure: ChildFailure | undefined;
  let attached = false;
  const onEnd = (): void => {
    reports.end();
    afterEnd();
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
  const whyFailed = (): ChildFailure | undefined => {
    if (failure !== undefined || attached || (running.exitcode ?? 0) <= 0) return failure;
    // It did not even get to say why; if anything was said, it is on its standard error.
    const message =
      `${interpreter} ended with exit code ${running.exitcode} before it took over its arguments. ` +
      'A CPython of version 3.8 or later is needed';
    return { stage: 'attach', message, stack: '' };
  };
  return {
    child: running,
    failure() {
      const found = whyFailed();
      return found && new ChildProcessError(name, pid, found);
    },
  };
}
