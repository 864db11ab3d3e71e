// SPDX-License-Identifier: MIT
import { delimiter, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { BaseQueue } from '../queues/base-queue.js';
import { BaseProcess, type Launched, type NewChild } from '../process/base-process.js';
import { Connection } from '../connection/connection.js';
import { argumentError, type ChildFailure } from '../core/errors.js';
import { launchChild } from '../process/launch.js';
import { checkCommon, type CommonProcessOptions } from '../process/options.js';
import { lookAfter } from './queue-recovery.js';
import { findInterpreter } from './interpreter.js';
import { pythonShape } from './reduce.js';
import { commandLine, pickleArguments, spawnPickles, type Task } from './spawn.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import type { PickleNode } from '../serialization/pickle/nodes.js';
import { checkObject } from '../core/validate.js';

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
    return launchChild(who, this.#options, false, (handle, inheritance) => {
      const queues: WeakRef<BaseQueue<unknown>>[] = [];
      const reduce = (object: object): PickleNode | undefined => {
        if (object instanceof BaseQueue) queues.push(new WeakRef(object as BaseQueue<unknown>));
        return pythonShape(object, inheritance);
      };
      const pickles = spawnPickles(handle, who, this.#task, pickleArguments(this.#task, { reduce }));
      const env = this.#environment();
      const { command, what } = findInterpreter(this.#python, env);
      return {
        command,
        args: commandLine(handle),
        what,
        env,
        send: (to) => Connection.partsOf(to).channel.sender.sendUnframed(pickles, new KeepAlive()),
        afterEnd: () => {
          lookAfter(queues);
        },
        explain: (exitcode, attached) => (attached || exitcode <= 0 ? undefined : notStarted(what, exitcode)),
      };
    });
  }

  #environment(): NodeJS.ProcessEnv {
    const env = this.#options.env ?? process.env;
    if (this.#folders.length === 0) return env;
    const existing = env['PYTHONPATH'];
    const folders = existing === undefined || existing === '' ? this.#folders : [...this.#folders, existing];
    return { ...env, PYTHONPATH: folders.join(delimiter) };
  }
}

/** It did not even get to say why; if anything was said, it is on its standard error. */
function notStarted(interpreter: string, exitcode: number): ChildFailure {
  const message =
    `${interpreter} ended with exit code ${exitcode} before it took over its arguments. ` +
    'A CPython of version 3.8 or later is needed';
  return { stage: 'attach', message, stack: '' };
}
