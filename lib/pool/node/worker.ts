// SPDX-License-Identifier: MIT
//
// The function that a worker of a Pool runs, in a process of its own: it loads the user's function and runs it for each task.
// While a task runs, the worker listens for what the pool says about it.
import { fileURLToPath } from 'node:url';

import type { Connection } from '../../connection/connection.js';
import { failureOf, type ChildFailure } from '../../core/error-report.js';
import { argumentError } from '../../core/errors.js';
import { beginFunction, beginImport } from '../../process/current-process.js';
import { findTarget, loadModule } from '../../process/target-module.js';
import { Storages } from '../context.js';
import { runAsTask } from './current-task.js';
import type { FromNode, TaskRow, ToNode } from './link.js';
import { fromWorker, toWorker, type Control } from '../protocol.js';
import { RunningTask } from './running-task.js';

type AnyFunction = (...args: unknown[]) => unknown;

/** What a worker is told when it is started. */
export interface NodeSetup {
  /** The URL of the user's module. */
  readonly module: string;
  /** Null for a pool of a Python program, whose tasks name their functions. */
  readonly target: string | null;
  readonly initializer: string | null | undefined;
  readonly initargs: readonly unknown[];
  /** The exports that are AsyncLocalStorages, whose stores come with the tasks. */
  readonly storages?: readonly string[];
}

/** The functions of the module, and the task that runs. */
class NodeWorker {
  readonly #connection: Connection<FromNode, ToNode>;
  readonly #setup: NodeSetup;
  #module: Record<string, unknown> = {};
  #target: AnyFunction | undefined;
  #storages: Storages | undefined;
  #task: RunningTask | undefined;
  #busy = false;
  /** The task that the pool has sent ahead. */
  #next: TaskRow | undefined;

  constructor(connection: Connection<FromNode, ToNode>, setup: NodeSetup) {
    this.#connection = connection;
    this.#setup = setup;
  }

  /** Loads the function, and runs the initializer. Returns false if that has failed. */
  async start(): Promise<boolean> {
    const { module, target, initializer, initargs, storages = [] } = this.#setup;
    let stage: ChildFailure['stage'] = 'import';
    try {
      process.argv[1] = fileURLToPath(module);
      beginImport();
      this.#module = await loadModule(module);
      beginFunction();
      stage = 'export';
      if (target !== null) this.#target = findTarget(this.#module, module, target);
      this.#storages = new Storages(this.#module, module, storages);
      const initialize = typeof initializer === 'string' ? findTarget(this.#module, module, initializer) : undefined;
      stage = 'run';
      await initialize?.(...initargs);
      await this.#send([fromWorker.ready]);
      return true;
    } catch (error) {
      await this.#send([fromWorker.failed, failureOf(error, stage)]);
      return false;
    }
  }

  /** Runs tasks until the pool wants no more, or has ended. */
  async serve(): Promise<void> {
    for await (const message of this.#connection) {
      if (message[0] === toWorker.exit) return;
      if (message[0] !== toWorker.task) this.#control(message);
      else if (this.#busy) this.#next = message;
      else void this.#runAll(message);
    }
  }

  #control([kind, ticket, count]: readonly [kind: Control, ticket: number, count: number]): void {
    const running = this.#task;
    if (running?.ticket !== ticket) return;
    if (kind === toWorker.cancel) running.cancel();
    else if (kind === toWorker.close) running.close();
    else running.grant(count);
  }

  async #runAll(first: TaskRow): Promise<void> {
    this.#busy = true;
    for (let task: TaskRow | undefined = first; task !== undefined;) {
      await this.#run(task);
      task = this.#next;
      this.#next = undefined;
    }
    this.#busy = false;
  }

  async #run(row: TaskRow): Promise<void> {
    const task = new RunningTask(row, (kind, body) => this.#send([kind, body]));
    this.#task = task;
    let result: FromNode;
    try {
      const run = (): Promise<unknown> => runAsTask(task.current, () => this.#call(row, task));
      result = [fromWorker.done, await (this.#storages?.run(task.current.context, run) ?? run())];
    } catch (error) {
      result = [fromWorker.error, failureOf(error, 'run')];
    }
    this.#task = undefined;
    try {
      await this.#send(result);
    } catch (error) {
      // The result cannot be serialised.
      await this.#send([fromWorker.error, failureOf(error, 'run')]).catch(() => undefined);
    }
  }

  async #call([, , , , target, args, mode]: TaskRow, task: RunningTask): Promise<unknown> {
    const { module } = this.#setup;
    const call = typeof target === 'string' ? findTarget(this.#module, module, target) : (this.#target as AnyFunction);
    if (mode === 'stream') {
      await task.stream(call(...args));
      return undefined;
    }
    if (mode === 'call') return await valueOf(call(...args));
    const results: unknown[] = [];
    for (const item of args) {
      const result = mode === 'map' ? call(item) : call(...(item as unknown[]));
      // An await of each would take most of the time of a small function.
      results.push(Object(result) === result ? await valueOf(result) : result);
    }
    return results;
  }

  #send(message: FromNode): Promise<void> {
    return this.#connection.send(message);
  }
}

/** The result of a function that is not to be streamed. */
async function valueOf(result: unknown): Promise<unknown> {
  const { next } = Object(result) as { next?: unknown };
  if (typeof next === 'function' && (Symbol.asyncIterator in Object(result) || Symbol.iterator in Object(result))) {
    throw argumentError('type', 'the function is a generator, whose items come one by one: call stream() of the pool');
  }
  return await result;
}

/** Runs tasks until the pool wants no more. */
export async function work(connection: Connection<FromNode, ToNode>, setup: NodeSetup): Promise<void> {
  const worker = new NodeWorker(connection, setup);
  const started = await worker.start();
  if (started) await worker.serve();
  // What the module has started, such as timers, is not waited for.
  process.exit(started ? 0 : 1);
}
