// SPDX-License-Identifier: MIT
//
// The task that a Node worker runs, as the function of the task sees it.
import { AsyncLocalStorage } from 'node:async_hooks';

import type { TaskContext } from '../context.js';
import { perEnvironment } from '../../core/per-environment.js';

/** What is known of the task inside of its function. */
export interface CurrentTask {
  /** The number of the task in its pool. */
  readonly id: number;
  /** Which attempt it is, from 1 on. */
  readonly attempt: number;
  /** Aborts when the task was aborted or has timed out. The function should end soon then: otherwise its process is killed. */
  readonly signal: AbortSignal;
  /** The values of the option `context` of the pool, by their names, as they were in the call of the pool. */
  readonly context: TaskContext;
  /** Tells the caller of `apply` how far the task has got. */
  progress(done: number, total?: number): void;
  /** Sends a record to the listeners of the pool's event `log`. */
  log(message: string, level?: string): void;
}

const state = perEnvironment('pool/task', () => ({
  /** Whether functions of this process can call `currentTask()`, since they have loaded the package. */
  isKnown: false,
  /** Made when it is needed. Where a process has one, each of its promises takes a multiple of the time on Node 20. */
  storage: undefined as AsyncLocalStorage<CurrentTask> | undefined,
  /** The task that runs without a storage. A worker runs one task at a time. */
  running: undefined as CurrentTask | undefined,
}));

/** The task in whose function this is called, also after an await; undefined outside of the workers of a `Pool`. */
export function currentTask(): CurrentTask | undefined {
  state.storage ??= new AsyncLocalStorage();
  return state.storage.getStore() ?? state.running;
}

/** Called where `currentTask` is exported. From then on a task is told from what others have left behind. */
export function exportCurrentTask(): void {
  state.isKnown = true;
}

/** Runs a function as a task. */
export async function runAsTask<T>(task: CurrentTask, run: () => Promise<T>): Promise<T> {
  if (state.isKnown) state.storage ??= new AsyncLocalStorage();
  if (state.storage !== undefined) return await state.storage.run(task, run);
  state.running = task;
  try {
    return await run();
  } finally {
    state.running = undefined;
  }
}
