// SPDX-License-Identifier: MIT
import { Pipe } from '../connection/pipe.js';
import { argumentError } from '../core/errors.js';
import { checkOptionNames, optionNames } from '../core/validate.js';
import { BasePool } from '../pool/base-pool.js';
import {
  checkPoolOptions,
  POOL_OPTIONS,
  type ApplyOptions,
  type CheckedOptions,
  type PoolOptions,
  type StreamOptions,
} from '../pool/options.js';
import type { Launched, Launcher } from '../pool/pool-worker.js';
import { Scheduler } from '../pool/scheduler.js';
import { PythonGlobal, reduce } from '../serialization/pickle/nodes.js';
import { PythonLink } from './pool-link.js';
import { POOL } from './array-pickles.js';
import { PoolMemory } from './pool-memory.js';
import { programs } from './programs.js';
import { checkPythonTarget, isPythonName, PythonProcess } from './python-process.js';

/** The name of the program in tracebacks, which leave its lines out. */
const FILE = '<node-multiprocessing pool>';

const compile = new PythonGlobal('builtins', 'compile');

/** Options of a `PythonPool`. */
export interface PythonPoolOptions extends PoolOptions {
  /** The function, as `'module:function'`. It may be a generator or `async def`. Each worker imports it once, at its start. */
  target: string;
  /** A function that each worker calls first, as `'module:function'`. CPython: `initializer`. */
  initializer?: string | undefined;
  /** As that of a `PythonProcess`. */
  python?: string | undefined;
  /** As that of a `PythonProcess`. */
  pythonPath?: string | URL | readonly (string | URL)[] | undefined;
}

/** Options of `apply` of a `PythonPool`. */
export interface PythonApplyOptions extends ApplyOptions {
  /** Keyword arguments. CPython: `kwds`. */
  kwargs?: Readonly<Record<string, unknown>> | undefined;
}

/** Options of `stream` of a `PythonPool`. */
export interface PythonStreamOptions extends StreamOptions {
  /** Keyword arguments. */
  kwargs?: Readonly<Record<string, unknown>> | undefined;
}

const poolNames = optionNames<PythonPoolOptions>({
  ...POOL_OPTIONS,
  target: true,
  initializer: true,
  python: true,
  pythonPath: true,
});

function checkPythonVariable(name: string): void {
  if (isPythonName(name)) return;
  throw argumentError('range', `context must have names as 'module:variable', which is a ContextVar, not '${name}'`);
}

/** Starts Python workers. */
class PythonLauncher implements Launcher {
  readonly #options: CheckedOptions;
  readonly #python: Pick<PythonPoolOptions, 'python' | 'pythonPath'>;
  readonly #setup: Readonly<Record<string, unknown>>;

  constructor({ target, initializer, python, pythonPath }: PythonPoolOptions, checked: CheckedOptions) {
    this.#options = checked;
    this.#python = { python, pythonPath };
    const context = checked.context.map(({ name }) => name);
    this.#setup = { target, initializer, initargs: checked.initargs, context };
  }

  launch(index: number, onEnd: () => void): Launched {
    const { env, cwd, name } = this.#options;
    const [tasks, theirTasks] = Pipe(true, { serialization: 'pickle' });
    const [theirControl, control] = Pipe<never>(false, { serialization: 'pickle' });
    const code = reduce(compile, [programs().poolWorker, FILE, 'exec']);
    const names = { __name__: POOL, __file__: FILE };
    const memory = new PoolMemory();
    const file = memory.exists ? memory : null;
    const globals = { ...names, tasks: theirTasks, control: theirControl, memory: file, setup: this.#setup };
    try {
      const process = new PythonProcess({
        ...this.#python,
        target: 'builtins:exec',
        args: [code, globals],
        name: `${name}-${index + 1}`,
        daemon: true,
        env: env(index),
        cwd,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      process.mayHaveChildren = true;
      process.onEnded = onEnd;
      process.start();
      return { process, link: new PythonLink(tasks, control, memory) };
    } catch (error) {
      tasks.close();
      control.close();
      memory.close();
      throw error;
    } finally {
      theirTasks.close();
      theirControl.close();
    }
  }
}

/** A function of Python, whose parameters and result are not known here. */
type PythonFunction<R> = (...args: readonly unknown[]) => R;

/**
 * A number of Python processes that run a function, which needs no knowledge of Node; nothing has to be installed in Python.
 * CPython: `multiprocessing.Pool`.
 *
 * Arguments and results are pickles. `R` is the type of what the function returns. A task that is aborted or times out gets a
 * KeyboardInterrupt.
 */
export class PythonPool<R = unknown> extends BasePool<PythonFunction<R>> {
  /** @param options See PythonPoolOptions. The workers are started at once. */
  constructor(options: PythonPoolOptions) {
    checkOptionNames(options, poolNames);
    const checked = checkPoolOptions(options, 'PythonPool');
    checkPythonTarget(options.target);
    if (options.initializer !== undefined) checkPythonTarget(options.initializer);
    for (const { name } of checked.context) checkPythonVariable(name);
    const launcher = new PythonLauncher(options, checked);
    super(checked, (listeners) => new Scheduler(launcher, checked, listeners), { kwargs: true });
  }

  /** As that of every pool, also with keyword arguments. CPython: `apply`. */
  override apply(args: readonly unknown[], options?: PythonApplyOptions): Promise<Awaited<R>> {
    return super.apply(args, options);
  }

  /** As that of every pool, also with keyword arguments. */
  override stream(
    args: readonly unknown[],
    options?: PythonStreamOptions,
  ): ReturnType<BasePool<PythonFunction<R>>['stream']> {
    return super.stream(args, options);
  }

  /** @internal */
  protected override checkTarget(target: unknown): void {
    checkPythonTarget(target);
  }
}
