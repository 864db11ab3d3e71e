// SPDX-License-Identifier: MIT
import { Pipe } from '../connection/pipe.js';
import { argumentError } from '../core/errors.js';
import { checkOptionNames, optionNames } from '../core/validate.js';
import { checkModule, checkTargetName, Process, type Target } from '../process/process.js';
import { BasePool } from './base-pool.js';
import { NodeLink } from './node/link.js';
import type { NodeSetup } from './node/worker.js';
import { checkPoolOptions, POOL_OPTIONS, type CheckedOptions, type PoolOptions } from './options.js';
import type { Launched, Launcher } from './pool-worker.js';
import { Scheduler } from './scheduler.js';

/** Options of a `Pool`. */
export interface NodePoolOptions<F extends Target> extends PoolOptions {
  /** The module that exports the function: a `file:` URL, usually `import.meta.url`, or an absolute path. */
  module: string | URL;
  /** The exported function, or the name of its export. The name of a function must be that of its export. */
  target: F | string;
  /** A function of the module that each worker runs first, or its name. CPython: `initializer`. */
  initializer?: Target | string | undefined;
  /** As that of a `Process`. */
  execArgv?: readonly string[] | undefined;
  /** As that of a `Process`. */
  execPath?: string | undefined;
}

/** @internal */
export const poolNames = optionNames<NodePoolOptions<Target>>({
  ...POOL_OPTIONS,
  module: true,
  target: true,
  initializer: true,
  execArgv: true,
  execPath: true,
});

/** The program of the workers, below a Process. */
const workerModule = new URL('./node/worker.js', import.meta.url);

/** Starts Node workers. */
class NodeLauncher implements Launcher {
  readonly #setup: NodeSetup;
  readonly #options: CheckedOptions;
  readonly #node: { readonly execArgv?: readonly string[] | undefined; readonly execPath?: string | undefined };

  constructor({ execArgv, execPath }: NodePoolOptions<Target>, checked: CheckedOptions, setup: NodeSetup) {
    this.#options = checked;
    this.#setup = setup;
    this.#node = { execArgv, execPath };
  }

  launch(index: number, onEnd: () => void): Launched {
    const { env, cwd, name } = this.#options;
    const [ours, theirs] = Pipe(true, { serialization: 'structured' });
    try {
      const process = new Process({
        ...this.#node,
        module: workerModule,
        target: 'work',
        args: [theirs, this.#setup],
        name: `${name}-${index + 1}`,
        daemon: true,
        env: env(index),
        cwd,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      process.mayHaveChildren = true;
      process.onEnded = onEnd;
      process.start();
      return { process, link: new NodeLink(ours) };
    } catch (error) {
      ours.close();
      throw error;
    } finally {
      theirs.close();
    }
  }
}

/**
 * A number of Node processes that run an exported function. CPython: `multiprocessing.Pool`.
 *
 * Arguments and results are structured clones, as those of a `Process`; Connections, queues and locks may be in `initargs`, and
 * Connections also in arguments and results. Each worker loads the module once. In it, `currentTask()` is the task that runs.
 */
export class Pool<F extends Target = Target> extends BasePool<F> {
  /** @param options See NodePoolOptions. The workers are started at once. */
  constructor(options: NodePoolOptions<F>) {
    checkOptionNames(options, poolNames);
    const checked = checkPoolOptions(options, 'Pool');
    const { initializer } = options;
    const setup = {
      module: checkModule(options.module),
      target: checkTargetName(options.target),
      initializer: initializer === undefined ? undefined : checkTargetName(initializer),
      initargs: checked.initargs,
      storages: checked.context.filter(({ isStorage }) => isStorage).map(({ name }) => name),
    };
    const launcher = new NodeLauncher(options as NodePoolOptions<Target>, checked, setup);
    super(checked, (listeners) => new Scheduler(launcher, checked, listeners), {});
  }

  /** @internal */
  protected override checkTarget(target: unknown): void {
    if (typeof target !== 'string') throw argumentError('type', 'target must be the name of an export of the module');
  }
}
