// SPDX-License-Identifier: MIT
import type { FormatContext } from '../format-types.js';
import { PythonGlobal, type PickleNode } from './nodes.js';

/** Accounts for the memory that reducers allocate, which may be out of proportion to the pickle. */
export interface Budget {
  /**
   * To be called before a reducer makes something whose size follows from an argument, which a pickle may use repeatedly.
   */
  charge(bytes: number): void;
}

/** The pickle that is being read, for its reducers. */
export interface Reading extends Budget {
  /** Whether an Array is a tuple in the pickle, and not a list. */
  isTuple(value: unknown): boolean;
  /** Records that an Array, a Set or a Buffer is a tuple, a frozenset or a bytearray. Returns it. */
  original<T extends object>(made: T): T;
}

/** What a reducer returns for an empty dict, which may become a Map later. */
export const NEW_DICT = Symbol('NEW_DICT');

/** The call of a class that takes the place of another call. */
export interface Redirection {
  readonly type: unknown;
  readonly args: unknown[];
  readonly keywords?: unknown;
}

/** The meaning of a class or function of Python. It must not trust its arguments. */
export interface Reducer {
  /**
   * Calls the function, or makes an object of the class. If missing, a pickle may mention the global, but not call it.
   */
  readonly call?: (args: unknown[], reading: Reading, keywords?: unknown, context?: FormatContext) => unknown;
  /** The most arguments that `call` or `redirect` understands. A pickle that has more is refused. Default: any number. */
  readonly most?: number;
  /** Whether the arguments are for the class's `__init__`, so that its `__new__` alone makes an empty object. */
  readonly byInit?: boolean;
  /**
   * Whether with these arguments the result is of a class that is not known here. Such a call becomes a `PythonObject`,
   * or an error, as that of an unknown function.
   */
  readonly foreign?: (args: unknown[]) => boolean;
  /** Instead of `call`: names the class of which an object is made, by its `__new__`. */
  readonly redirect?: (args: unknown[]) => Redirection;
  /** Instead of `call`: the result is the attribute of another global, which must be known by its own dotted name. */
  readonly attribute?: boolean;
  /** Whether `call` accepts the keyword arguments of a `__new__` that has some. */
  readonly keywords?: boolean;
  /** Gives a made object its state. A result other than undefined takes the object's place. */
  readonly build?: (object: unknown, state: unknown, reading: Reading, context?: FormatContext) => unknown;
  /** Whether it has no side effects, so that the decoder may call it more than once. */
  readonly pure?: boolean;
}

/** A global with its meaning. */
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

/** What callers add to the codec. */
export interface PickleHooks {
  /** The replacement of an object that is not plain data, such as a Connection; undefined if the hook has none. */
  readonly reduce?: ((object: object, context?: FormatContext) => PickleNode | undefined) | undefined;
  /** Globals that are looked up before the known ones. */
  readonly reducers?: ReducerTable | undefined;
  /** Whether an unknown class or function is an error, which is the default, or makes a `PythonObject`. */
  readonly unknown?: 'error' | 'opaque' | undefined;
  /**
   * Whether a value that was read is written again as it was, for a program that passes values on: what has no
   * counterpart becomes a `PythonObject` whether it is known or not, whole floats stay floats, and tuples stay tuples.
   */
  readonly exact?: boolean | undefined;
}
