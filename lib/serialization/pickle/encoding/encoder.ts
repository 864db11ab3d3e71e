// SPDX-License-Identifier: MIT
import { types } from 'node:util';

import { NotSupported, PicklingError } from '../../../core/errors.js';
import { isDetached } from '../../../core/validate.js';
import type { FormatContext } from '../../formats.js';
import { replace, unsupported } from './foreign.js';
import type { PickleHooks } from '../hooks.js';
import { KeyWriter } from './key-writer.js';
import { PythonGlobal, PythonObject, PythonTuple } from '../nodes.js';
import {
  ADDITEMS,
  APPENDS,
  BUILD,
  EMPTY_DICT,
  EMPTY_LIST,
  EMPTY_SET,
  EMPTY_TUPLE,
  FROZENSET,
  MARK,
  NEWOBJ,
  POP,
  REDUCE,
  SETITEMS,
  STACK_GLOBAL,
  TUPLE,
  TUPLE1,
} from '../opcodes.js';
import { formatPath, type Step } from './path.js';
import { PythonFloat, PythonInt } from '../wrappers.js';

/** How deep objects may be nested. CPython gives up at about the same depth. */
export const MAX_DEPTH = 1000;

/** How many items the receiver keeps on its stack before it puts them into their list or dict. */
const BATCH = 1000;

/** Up to so many objects are searched one by one; a Map pays for more only. */
const FEW = 8;

const { hasOwnProperty } = Object.prototype;

/** Writes values. One at a time: see `encodePickle`. */
export class Encoder extends KeyWriter {
  #hooks: PickleHooks = {};
  #context: FormatContext | undefined;
  #depth = 0;
  /** The path to the current value: a step for each level down to `#depth`. */
  readonly #path: unknown[] = [];

  /** The objects that were remembered, with their memo numbers. */
  readonly #few: object[] = [];
  readonly #fewIndexes: number[] = [];
  #many: Map<object, number> | undefined;
  /** The memo numbers of Arrays and Sets that were written as tuples and frozensets. */
  #frozenIndexes: Map<object, number> | undefined;

  encode(value: unknown, hooks: PickleHooks, context: FormatContext | undefined): Buffer {
    this.#hooks = hooks;
    this.#context = context;
    try {
      this.begin();
      this.#value(value);
      return this.finish();
    } catch (error) {
      this.undo();
      if (error instanceof PicklingError || error instanceof NotSupported) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new PicklingError(`${this.#where()} cannot be pickled: ${reason}`, { cause: error });
    } finally {
      this.#hooks = {};
      this.#context = undefined;
      this.#depth = 0;
      this.#path.length = 0;
      this.#few.length = 0;
      this.#many = undefined;
      this.#frozenIndexes = undefined;
      this.forgetKeys();
    }
  }

  #where(): string {
    return formatPath(this.#path.slice(1, this.#depth + 1));
  }

  #value(value: unknown): void {
    switch (typeof value) {
      case 'string':
        this.text(value);
        return;
      case 'number':
        this.number(value);
        return;
      case 'boolean':
        this.boolean(value);
        return;
      case 'undefined':
        this.none();
        return;
      case 'bigint':
        this.bigint(value);
        return;
      case 'object':
        if (value === null) this.none();
        else this.#object(value);
        return;
      default:
        throw new PicklingError(`${this.#where()} is a ${typeof value}, which cannot be pickled`);
    }
  }

  #object(value: object): void {
    if (this.#written(value)) return;
    this.#enter();
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) this.#dict(value as Record<string, unknown>);
    else if (prototype === Array.prototype) this.#list(value as unknown[]);
    else if (prototype === Map.prototype) this.#map(value as Map<unknown, unknown>);
    else if (prototype === Set.prototype) this.#set(value as Set<unknown>);
    else if (value instanceof Uint8Array && !('shape' in value)) this.#bytes(value, value);
    else if (!this.#node(value)) this.#replaced(value);
    this.#depth--;
  }

  #enter(): void {
    if (this.#depth === MAX_DEPTH) {
      const where = formatPath(this.#path.slice(1, 4));
      throw new PicklingError(`The value is nested more than ${MAX_DEPTH} levels deep (below ${where}...)`);
    }
    this.#path[++this.#depth] = undefined;
  }

  #indexOf(value: object): number | undefined {
    if (this.#many !== undefined) return this.#many.get(value);
    const at = this.#few.indexOf(value);
    return at < 0 ? undefined : this.#fewIndexes[at];
  }

  /** Writes a reference to an object that was written before. False if it was not. */
  #written(value: object): boolean {
    const index = this.#indexOf(value);
    if (index === undefined) return false;
    this.get(index);
    return true;
  }

  /** Gives the object that was just written a memo number. */
  #remember(value: object): void {
    const index = this.memoize();
    if (this.#many !== undefined) {
      this.#many.set(value, index);
    } else if (this.#few.length < FEW) {
      this.#fewIndexes[this.#few.length] = index;
      this.#few.push(value);
    } else {
      this.#many = new Map(this.#few.map((object, i) => [object, this.#fewIndexes[i] as number]));
      this.#many.set(value, index);
    }
  }

  #list(array: readonly unknown[]): void {
    this.byte(EMPTY_LIST);
    this.#remember(array);
    const depth = this.#depth;
    let inBatch = 0;
    for (let i = 0; i < array.length; i++) {
      if (inBatch === 0) this.byte(MARK);
      this.#path[depth] = i;
      this.#value(array[i]);
      if (++inBatch === BATCH) {
        this.byte(APPENDS);
        inBatch = 0;
      }
    }
    if (inBatch > 0) this.byte(APPENDS);
  }

  #dict(object: Record<string, unknown>): void {
    this.byte(EMPTY_DICT);
    this.#remember(object);
    const depth = this.#depth;
    let count = 0;
    for (const key in object) {
      if (!hasOwnProperty.call(object, key)) continue;
      if (count % BATCH === 0) {
        if (count > 0) this.byte(SETITEMS);
        this.byte(MARK);
      }
      this.key(key, depth, count++);
      this.#path[depth] = key;
      this.#value(object[key]);
    }
    if (count === 0) return;
    this.byte(SETITEMS);
    this.endObject();
  }

  #map(map: ReadonlyMap<unknown, unknown>): void {
    this.byte(EMPTY_DICT);
    this.#remember(map);
    const keyStep: Step = { into: 'keys', at: 0 };
    const valueStep: Step = { into: 'get', at: undefined };
    const depth = this.#depth;
    let count = 0;
    for (const [key, value] of map) {
      if (count % BATCH === 0) {
        if (count > 0) this.byte(SETITEMS);
        this.byte(MARK);
      }
      keyStep.at = count++;
      this.#path[depth] = keyStep;
      this.#hashable(key);
      valueStep.at = key;
      this.#path[depth] = valueStep;
      this.#value(value);
    }
    if (count > 0) this.byte(SETITEMS);
  }

  #set(set: ReadonlySet<unknown>): void {
    this.byte(EMPTY_SET);
    this.#remember(set);
    const depth = this.#depth;
    const step: Step = { into: 'values', at: 0 };
    let count = 0;
    for (const item of set) {
      if (count % BATCH === 0) {
        if (count > 0) this.byte(ADDITEMS);
        this.byte(MARK);
      }
      step.at = count++;
      this.#path[depth] = step;
      this.#hashable(item);
    }
    if (count > 0) this.byte(ADDITEMS);
  }

  /**
   * A key of a dict or a member of a set. In Python these are immutable, so Arrays become tuples and Sets frozensets.
   */
  #hashable(value: unknown): void {
    if (typeof value !== 'object' || value === null) {
      this.#value(value);
    } else if (Array.isArray(value) || value instanceof Set) {
      this.#frozen(value as unknown[] | Set<unknown>);
    } else if (value instanceof Map || isPlain(value)) {
      throw new PicklingError(`${this.#where()} would be a dict, which in Python can be neither a key nor in a set`);
    } else {
      this.#value(value);
    }
  }

  #frozen(value: readonly unknown[] | ReadonlySet<unknown>): void {
    const index = this.#frozenIndexes?.get(value);
    if (index !== undefined) {
      this.get(index);
      return;
    }
    this.#enter();
    if (Array.isArray(value)) {
      this.#items(value, true);
    } else {
      this.byte(MARK);
      const step: Step = { into: 'values', at: 0 };
      let count = 0;
      for (const item of value) {
        step.at = count++;
        this.#path[this.#depth] = step;
        this.#hashable(item);
      }
      this.byte(FROZENSET);
    }
    this.#depth--;
    // Otherwise an Array that holds another one twice, which holds another one twice, and so on, would take for ever.
    (this.#frozenIndexes ??= new Map()).set(value, this.memoize());
  }

  /** A tuple of these items. */
  #items(items: readonly unknown[], hashable = false): void {
    const { length } = items;
    if (length === 0) {
      this.byte(EMPTY_TUPLE);
      return;
    }
    if (length > 3) this.byte(MARK);
    const depth = this.#depth;
    for (let i = 0; i < length; i++) {
      this.#path[depth] = i;
      if (hashable) this.#hashable(items[i]);
      else this.#value(items[i]);
    }
    this.byte(length > 3 ? TUPLE : TUPLE1 + length - 1);
  }

  #tuple(tuple: PythonTuple): void {
    const { items } = tuple;
    this.#items(items);
    // A tuple that contains itself, in a list, was written completely while its items were written.
    if (!this.#instead(tuple)) this.#remember(tuple);
  }

  /** Replaces the object that was just written by a reference, if it had been written before. */
  #instead(value: object): boolean {
    const index = this.#indexOf(value);
    if (index === undefined) return false;
    this.byte(POP);
    this.get(index);
    return true;
  }

  #bytes(value: object, bytes: Uint8Array): void {
    if (isDetached(bytes)) throw new PicklingError(`${this.#where()} is memory that was detached`);
    this.binary(bytes);
    this.#remember(value);
  }

  #global(type: PythonGlobal): void {
    this.text(type.module);
    this.text(type.name);
    this.byte(STACK_GLOBAL);
    this.#remember(type);
  }

  /** Writes an object that stands for an object of Python. False for any other. */
  #node(value: object): boolean {
    if (value instanceof PythonObject) this.#instance(value, value);
    else if (value instanceof PythonTuple) this.#tuple(value);
    else if (value instanceof PythonGlobal) this.#global(value);
    else if (value instanceof PythonFloat) this.float(value.value);
    else if (value instanceof PythonInt) this.bigint(value.value);
    else return false;
    return true;
  }

  /** Writes the replacement of an object that is neither plain data nor an object of Python. */
  #replaced(value: object): void {
    const other = replace(value, this.#hooks, this.#context);
    // Under the identity of the original, so that it is written once however often it occurs, and may contain itself.
    if (other instanceof PythonObject) this.#instance(value, other);
    else if (other instanceof Uint8Array) this.#bytes(value, other);
    else if (other !== undefined) this.#value(other);
    else if (Array.isArray(value)) this.#list(value);
    else if (types.isMap(value)) this.#map(value);
    else if (types.isSet(value)) this.#set(value);
    else if (isPlain(value)) this.#dict(value as Record<string, unknown>);
    else throw unsupported(value, this.#where());
  }

  #instance(value: object, { type, args, isNew, state, items, entries }: PythonObject): void {
    if (!this.#written(type)) this.#global(type);
    this.#items(args);
    this.byte(isNew ? NEWOBJ : REDUCE);
    if (this.#instead(value)) return;
    this.#remember(value);
    this.#path[this.#depth] = undefined;
    if (items.length > 0) {
      this.byte(MARK);
      for (const item of items) this.#value(item);
      this.byte(APPENDS);
    }
    if (entries.length > 0) {
      this.byte(MARK);
      for (const [key, entry] of entries) {
        this.#hashable(key);
        this.#value(entry);
      }
      this.byte(SETITEMS);
    }
    if (state === undefined) return;
    this.#value(state);
    this.byte(BUILD);
  }
}

/** Whether an object has properties only, also if another realm (node:vm) made it. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
