// SPDX-License-Identifier: MIT
import type { FormatContext } from '../formats.js';
import { PythonGlobal, type PickleNode } from './nodes.js';

/** Accounts for what a reducer allocates beyond what the pickle itself is worth. */
export interface Budget {
  /** To be called before something is made whose size follows from an argument, which a pickle may use over and over. */
  charge(bytes: number): void;
}

/** What a reducer returns for an empty dict, which may yet become a Map. */
export const NEW_DICT = Symbol('NEW_DICT');

/** Another call that a call comes down to. */
export interface Redirection {
  readonly type: unknown;
  readonly args: unknown[];
}

/** What a class or function of Python's means here. It must not trust its arguments. */
export interface Reducer {
  /** Called as a function, or as a class whose new object is wanted. Missing: it may be mentioned, but not called. */
  readonly call?: (args: unknown[], budget: Budget, keywords?: unknown, context?: FormatContext) => unknown;
  /** Instead of `call`: what class an object is made of after all, by its `__new__`. */
  readonly redirect?: (args: unknown[]) => Redirection;
  /** Instead of `call`: the global that is the attribute of another one. It must be known by its own, dotted, name. */
  readonly attribute?: boolean;
  /** Whether `call` wants the keyword arguments of a `__new__` that has some. */
  readonly keywords?: boolean;
  /** Gives a made object its state. What it returns, unless that is undefined, takes the object's place. */
  readonly build?: (object: unknown, state: unknown, budget: Budget, context?: FormatContext) => unknown;
  /** Whether calling it twice is as good as calling it once. */
  readonly pure?: boolean;
}

/** A global together with its meaning. */
export class KnownGlobal extends PythonGlobal {
  readonly reducer: Reducer;

  constructor(module: string, name: string, reducer: Reducer) {
    super(module, name);
    this.reducer = reducer;
  }
}

/** Reducers by module and name. */
export type ReducerTable = ReadonlyMap<string, ReadonlyMap<string, KnownGlobal>>;

/** Makes a table from objects of objects: `{ collections: { deque: { call: ... } } }`. */
export function reducerTable(modules: Readonly<Record<string, Readonly<Record<string, Reducer>>>>): ReducerTable {
  return new Map(
    Object.entries(modules).map(([module, names]) => [
      module,
      new Map(Object.entries(names).map(([name, reducer]) => [name, new KnownGlobal(module, name, reducer)])),
    ]),
  );
}

/** What other parts of this package add to the codec. */
export interface PickleHooks {
  /** What stands for an object that is no plain data, such as a Connection; undefined if it is none of the hook's. */
  readonly reduce?: ((object: object, context?: FormatContext) => PickleNode | undefined) | undefined;
  /** What may be called besides what is known, and before it. */
  readonly reducers?: ReducerTable | undefined;
  /** Whether what nobody knows is an error, the default, or a `PythonObject`. */
  readonly unknown?: 'error' | 'opaque' | undefined;
}
