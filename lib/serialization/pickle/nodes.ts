// SPDX-License-Identifier: MIT
//
// What Python has and JavaScript lacks: a reference to a class or function, a tuple, and an object that is described by
// how it is made. Values for sending are made of them, and unknown objects become them if the receiver asks for that.
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
  /** Its items. */
  readonly items: readonly unknown[];

  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/**
 * An object of a Python class, in the form of a pickle: what to call with which arguments, and what to do with the
 * result. With the option `unknown: 'opaque'`, `loads` makes one for an object of an unknown class. It can be sent
 * again.
 */
export class PythonObject {
  /** The class or function that makes the object. */
  readonly type: PythonGlobal;
  /** Its arguments. */
  readonly args: readonly unknown[];
  /** Whether `type` is a class whose `__new__` is called, without `__init__`. Otherwise `type` itself is called. */
  readonly isNew: boolean;
  /** The keyword arguments of the class's `__new__`, an object; undefined for none. Only with `isNew`. */
  readonly keywords: unknown;
  /** The argument of the new object's `__setstate__`, or the update of its `__dict__`; undefined for neither. */
  state: unknown;
  /** The function that gives it its state, called with the object and the state; undefined for Python's usual way. */
  setter: PythonGlobal | undefined;
  /** The items that are appended to it, if it is a kind of list. */
  readonly items: unknown[] = [];
  /** The entries that are put into it, if it is a kind of dict. */
  readonly entries: [unknown, unknown][] = [];

  constructor(type: PythonGlobal, args: readonly unknown[], isNew: boolean, state?: unknown, keywords?: unknown) {
    this.type = type;
    this.args = args;
    this.isNew = isNew;
    this.state = state;
    if (keywords !== undefined && !isNew) throw argumentError('range', 'keywords must be undefined without isNew');
    this.keywords = keywords;
  }
}

/**
 * An object made by calling a function or class, and then given a state unless that is undefined. CPython:
 * `__reduce__`.
 */
export function reduce(type: PythonGlobal, args: readonly unknown[], state?: unknown): PythonObject {
  return new PythonObject(type, args, false, state);
}

/** An object made by the `__new__` of a class, and then given a state: how Python pickles instances of most classes. */
export function create(type: PythonGlobal, args: readonly unknown[] = [], state?: unknown): PythonObject {
  return new PythonObject(type, args, true, state);
}

/** A replacement of an object in a pickle. */
export type PickleNode = PythonGlobal | PythonTuple | PythonObject;
