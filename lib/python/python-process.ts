// SPDX-License-Identifier: MIT
import { delimiter, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { BaseQueue } from '../queues/base-queue.js';
import { BaseProcess, childLabel, type ChildIdentity, type Launched } from '../process/base-process.js';
import type { ChildFailure } from '../core/error-report.js';
import { argumentError } from '../core/errors.js';
import { native } from '../native/addon.js';
import { launchChild, type Spawner } from '../process/launch.js';
import { checkCommon, COMMON_PROCESS_OPTIONS, type CommonProcessOptions } from '../process/options.js';
import { findInterpreter } from './interpreter.js';
import { reduceForPython } from './reduce.js';
import { commandLine, pickleArguments, spawnPickles, type Task } from './spawn.js';
import type { PickleNode } from '../serialization/pickle/nodes.js';
import { isPlain, isURL } from '../core/realms.js';
import { checkObject, checkOptionNames, optionNames } from '../core/validate.js';

/** Options of a `PythonProcess`. */
export interface PythonProcessOptions extends CommonProcessOptions {
  /**
   * As the option `stdio` of `child_process.spawn`; missing entries are `'inherit'`. Without a first entry, Python's
   * `sys.stdin` is empty, as in CPython's own children.
   */
  stdio?: CommonProcessOptions['stdio'];
  /** The function, as `'module:function'`: `'worker:consumer'`, `'package.module:Class.method'`. */
  target: string;
  /** Its positional arguments. Objects of this package may be anywhere in them. Default: none. */
  args?: readonly unknown[] | undefined;
  /** Its keyword arguments. Default: none. */
  kwargs?: Readonly<Record<string, unknown>> | undefined;
  /**
   * The interpreter, CPython 3.8 or later: a path, or a name on the PATH. Default: the environment variable `PYTHON`,
   * the active virtual environment (`VIRTUAL_ENV`), that in the folder `.venv` of the working directory, or `python3`.
   */
  python?: string | undefined;
  /** Folders to search for modules, after the working directory and before the folders in `PYTHONPATH`. */
  pythonPath?: string | URL | readonly (string | URL)[] | undefined;
}

const pythonProcessNames = optionNames<PythonProcessOptions>({
  ...COMMON_PROCESS_OPTIONS,
  target: true,
  args: true,
  kwargs: true,
  python: true,
  pythonPath: true,
});

const PYTHON_NAME = /^([^:\s/\\]+):([^:\s]+)$/;

/** @internal Whether a text is `'module:name'`. */
export function isPythonName(text: string): boolean {
  return PYTHON_NAME.test(text);
}

/** @internal The parts of `'module:function'`. */
export function checkPythonTarget(target: unknown): { module: string; name: string } {
  if (typeof target !== 'string') throw argumentError('type', "target must be a string, 'module:function'");
  const [, module, name] = PYTHON_NAME.exec(target) ?? [];
  if (module !== undefined && name !== undefined) return { module, name };
  throw argumentError(
    'range',
    `target must be 'module:function', a module as Python imports it and a function in that module, not '${target}'`,
  );
}

function checkFolders(folders: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(folders) ? folders : folders === undefined ? [] : [folders];
  return list.map((folder) => {
    if (isURL(folder) && folder.protocol === 'file:') return fileURLToPath(folder);
    if (typeof folder === 'string') return resolve(folder);
    throw argumentError('type', 'pythonPath must be a path, a file: URL, or an array of these');
  });
}

function checkKeywords(kwargs: unknown): Record<string, unknown> {
  checkObject(kwargs, 'kwargs');
  if (isPlain(kwargs)) return kwargs as Record<string, unknown>;
  throw argumentError('type', 'kwargs must be a plain object');
}

/**
 * A Python process that runs a function, started as CPython's own multiprocessing starts its children: nothing has to
 * be installed in Python, and the function needs no knowledge of Node. CPython: `get_context('spawn').Process`.
 *
 * The pickle codec translates the arguments of the function. Connections, locks and queues arrive as objects of
 * `multiprocessing`. The child has its own references to them, so the caller should close the objects that it does not
 * use itself. If no serialization was chosen for a channel and nothing was sent over it yet, its serialization becomes
 * `'pickle'`.
 */
export class PythonProcess extends BaseProcess {
  readonly #options: CommonProcessOptions;
  readonly #python: string | undefined;
  readonly #folders: readonly string[];
  readonly #task: Task;

  /** @param options See PythonProcessOptions. The process is started by `start()`. */
  constructor(options: PythonProcessOptions) {
    checkOptionNames(options, pythonProcessNames);
    super(options.name, options.daemon);
    checkCommon(options);
    const { target, args = [], kwargs = {}, python, pythonPath } = options;
    if (!Array.isArray(args)) throw argumentError('type', 'args must be an array');
    if (python !== undefined && typeof python !== 'string') throw argumentError('type', 'python must be a string');
    if (python === '') throw argumentError('range', 'python must not be empty');
    this.#options = options;
    this.#python = python;
    this.#folders = checkFolders(pythonPath);
    // An entry is any value, also undefined and null, which Node takes for 'pipe'.
    const stdin = options.stdio !== undefined && options.stdio.length > 0;
    this.#task = { ...checkPythonTarget(target), args, kwargs: checkKeywords(kwargs), stdin, folders: this.#folders };
  }

  /** @internal */
  protected override launch(identity: ChildIdentity): Launched {
    const env = this.#environment();
    const { command, label } = findInterpreter(this.#python, env, this.#options.cwd);
    const queues: WeakRef<BaseQueue<unknown>>[] = [];
    let pickles: Buffer;
    let tracker = -1;
    const spawner: Spawner = {
      node: false,
      command: (channel, inheritance) => {
        const reduce = (object: object): PickleNode | undefined => {
          if (object instanceof BaseQueue) queues.push(new WeakRef(object as BaseQueue<unknown>));
          return reduceForPython(object, inheritance);
        };
        const args = pickleArguments(this.#task, { reduce });
        const { semaphores } = inheritance;
        // If it fails, the child starts a tracker of its own.
        tracker = native.processes.trackResources(semaphores);
        const number = tracker < 0 ? undefined : inheritance.descriptor(tracker).fd;
        const records = semaphores.length === 0 ? undefined : { tracker: number };
        pickles = spawnPickles(channel, identity, this.#task, args, records);
        const family = native.families.own();
        // Never used there: while the child has it, it is a member, and what it has made is not swept.
        if (family !== undefined) inheritance.descriptor(family.fd);
        return { command, args: commandLine(channel, number, childLabel(identity)), label, env };
      },
      send: (channel) => channel.sendUnframed(pickles),
      // Members of the queue that wait in Python do not look after each other.
      ended: () => {
        for (const queue of queues) queue.deref()?.transport.checkMembers();
      },
      explain: (exitcode, attached) => neverCalled(label, exitcode, attached, this.#task),
    };
    try {
      return launchChild(identity, this.#options, spawner);
    } finally {
      if (tracker >= 0) native.closeDescriptor(tracker);
    }
  }

  #environment(): NodeJS.ProcessEnv {
    const env = this.#options.env ?? process.env;
    // For what Python imports before it knows its task, and for the programs that it starts.
    const folders = this.#folders.filter((folder) => !folder.includes(delimiter));
    if (folders.length === 0) return env;
    const existing = env['PYTHONPATH'];
    if (existing !== undefined && existing !== '') folders.push(existing);
    return { ...env, PYTHONPATH: folders.join(delimiter) };
  }
}

/**
 * The failure of an interpreter that ended without calling the function and without a report. Its output, if any, is on
 * its standard error.
 */
function neverCalled(interpreter: string, exitcode: number, attached: boolean, task: Task): ChildFailure {
  const end = exitcode < 0 ? `was ended by signal ${-exitcode}` : `ended with exit code ${exitcode}`;
  const before = attached
    ? `while it imported the module ${task.module}, before it called ${task.name}`
    : 'before it received its arguments. CPython 3.8 or later is needed';
  return { stage: attached ? 'import' : 'attach', message: `${interpreter} ${end} ${before}`, stack: '' };
}
