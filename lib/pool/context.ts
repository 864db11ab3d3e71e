// SPDX-License-Identifier: MIT
//
// What goes with each task beside its arguments: the stores of AsyncLocalStorages, and values such as the `traceparent` of a
// trace. Their values are taken when the pool is called, in the asynchronous context of that call.
import { AsyncLocalStorage } from 'node:async_hooks';

import { argumentError } from '../core/errors.js';
import { checkObject } from '../core/validate.js';
import { exportOf } from '../process/target-module.js';

/** An AsyncLocalStorage, whose store is the value, or a function that returns the value. It is asked in each call of the pool. */
export type ContextSource = { getStore(): unknown } | (() => unknown);

/** The values of one task by their names, without those that are undefined. */
export type TaskContext = Readonly<Record<string, unknown>>;

/** One of the values that a pool carries. */
export interface ContextEntry {
  readonly name: string;
  /** Whether the worker has a storage for the value, too. */
  readonly isStorage: boolean;
  read(): unknown;
}

/** Validates the option `context` of a pool. */
export function checkContext(sources: Readonly<Record<string, ContextSource>> = {}): readonly ContextEntry[] {
  checkObject(sources, 'context');
  return Object.entries(sources).map(([name, source]) => {
    if (typeof source === 'function') return { name, isStorage: false, read: source };
    const { getStore } = Object(source) as { getStore?: unknown };
    if (typeof getStore !== 'function') {
      throw argumentError('type', `context.${name} must be an AsyncLocalStorage or a function that returns the value`);
    }
    return { name, isStorage: true, read: () => source.getStore() };
  });
}

/** The values for a task of this moment; undefined if there are none. */
export function takeContext(entries: readonly ContextEntry[]): TaskContext | undefined {
  const values = entries.map(({ name, read }) => [name, read()] as const).filter(([, value]) => value !== undefined);
  return values.length > 0 ? Object.fromEntries(values) : undefined;
}

/** The storages of the user's module, in a worker. */
export class Storages {
  readonly #storages: ReadonlyMap<string, AsyncLocalStorage<unknown>>;

  constructor(module: Record<string, unknown>, url: string, names: readonly string[]) {
    this.#storages = new Map(
      names.map((name) => {
        const found = exportOf(module, name);
        if (found instanceof AsyncLocalStorage) return [name, found as AsyncLocalStorage<unknown>] as const;
        throw argumentError(
          'type',
          `${url} does not export an AsyncLocalStorage "${name}", which the option context of the pool names`,
        );
      }),
    );
  }

  /** Runs a function with the stores of a task. */
  run<T>(context: TaskContext, call: () => T): T {
    let inner = call;
    for (const [name, storage] of this.#storages) {
      const next = inner;
      if (context[name] !== undefined) inner = () => storage.run(context[name], next);
    }
    return inner();
  }
}
