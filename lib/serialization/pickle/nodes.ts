// SPDX-License-Identifier: MIT
//
// What Python has and JavaScript has not: a reference to a class or function, a tuple, and an object described by how it is
// made. Values for sending are put together from them, and what is not known comes out as them if the receiver asks for it.
import { argumentError } from '../../core/errors.js';

/** A class or function, by the names under which Python finds it. */
export class PythonGlobal {
  /** The module, such as `collections`. */
  readonly module: string;
  /** The name in the module; dots lead into classes. CPython: `__qualname__`. */
  readonly name: string;

  constructor(module: string, name: string) {
    if (typeof module !== 'string') throw argumentError('type', 'module must be a string');
    if (typeof name !== 'string') throw argumentError('type', 'name must be a string');
    this.module = module;
    this.name = name;
  }

  /** Both names, with a dot between them. */
  toString(): string {
    return `${this.module}.${this.name}`;
  }
}

/** A tuple for Python. Received tuples are Arrays. */
export class PythonTuple {
  /** What is in it. */
  readonly items: readonly unknown[];

  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/**
 * An object of a Python class, as a pickle describes it: what to call with which arguments, and what to do with the result.
 * `loads` makes one of these from an unknown class with the option `unknown: 'opaque'`; they can be sent again.
 */
export class PythonObject {
  /** What makes the object. */
  readonly type: PythonGlobal;
  /** Its arguments. */
  readonly args: readonly unknown[];
  /** Whether `type` is a class whose `__new__` is called, without `__init__`. Otherwise `type` itself is called. */
  readonly isNew: boolean;
  /** What the new object's `__setstate__` is given, or its `__dict__` updated with; undefined for nothing. */
  state: unknown;
  /** What is appended to it, if it is some kind of list. */
  readonly items: unknown[] = [];
  /** What is put into it by key, if it is some kind of dict. */
  readonly entries: [unknown, unknown][] = [];

  constructor(type: PythonGlobal, args: readonly unknown[], isNew: boolean, state?: unknown) {
    this.type = type;
    this.args = args;
    this.isNew = isNew;
    this.state = state;
  }
}

/** An object made by calling a function or class, and then given a state unless that is undefined. CPython: `__reduce__`. */
export function reduce(type: PythonGlobal, args: readonly unknown[], state?: unknown): PythonObject {
  return new PythonObject(type, args, false, state);
}

/** An object made by the `__new__` of a class, and then given a state: how Python pickles instances of most classes. */
export function create(type: PythonGlobal, args: readonly unknown[] = [], state?: unknown): PythonObject {
  return new PythonObject(type, args, true, state);
}

/** What can stand for an object in a pickle. */
export type PickleNode = PythonGlobal | PythonTuple | PythonObject;
