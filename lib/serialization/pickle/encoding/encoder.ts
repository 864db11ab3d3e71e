// SPDX-License-Identifier: MIT
import { types } from 'node:util';

import { NotSupported, PicklingError } from '../../../core/errors.js';
import { entriesOf, isDisguised, isUnusual, valuesOf } from '../../inner-state.js';
import { isError } from '../../../core/realms.js';
import { isDetached } from '../../../core/validate.js';
import type { FormatContext } from '../../format-types.js';
import { carried, isDict, replace, unsupported } from './foreign.js';
import type { PickleHooks } from '../hooks.js';
import { isUnhashable } from '../known/unhashable.js';
import { Memo } from './memo.js';
import { MemoWriter } from './memo-writer.js';
import { copyUnfinished } from './unfinished.js';
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
  NEWOBJ_EX,
  POP,
  REDUCE,
  SETITEMS,
  TUPLE,
  TUPLE1,
} from '../opcodes.js';
import { isOriginal } from '../originals.js';
import type { Step } from './path.js';
import { PythonFloat, PythonInt } from '../wrappers.js';

const BYTEARRAY = new PythonGlobal('builtins', 'bytearray');

/** How many items the receiver keeps on its stack before it puts them into their list or dict. */
const BATCH = 1000;

const { hasOwnProperty } = Object.prototype;

/** Writes values. One at a time: see `encodePickle`. */
export class Encoder extends MemoWriter {
  #hooks: PickleHooks = {};
  #context: FormatContext | undefined;
  /** The memo numbers of Arrays, Sets and tuples that were written as keys: what they hold is hashable, too. */
  readonly #keyMemo = new Memo();
  /** Objects without a prototype of plain data that were written as what Python cannot take as keys, and as what. */
  #unhashable: Map<object, string> | undefined;
  /** Whether a tuple must remain one: for a value that is passed on, and inside of an object of an unknown class. */
  #exact = false;
  /** The objects whose arguments are being written, and how many memo numbers there were before each. */
  readonly #making: object[] = [];
  readonly #makingFrom: number[] = [];
  /** The memo numbers of originals. */
  readonly #originals = new Memo();

  encode(value: unknown, hooks: PickleHooks, context: FormatContext | undefined): Buffer {
    this.#hooks = hooks;
    this.#context = context;
    this.#exact = hooks.exact === true;
    try {
      this.begin();
      this.#value(value);
      return this.finish();
    } catch (error) {
      this.undo();
      if (error instanceof PicklingError || error instanceof NotSupported) throw error;
      const reason = isError(error) ? error.message : String(error);
      throw new PicklingError(`${this.where()} cannot be pickled: ${reason}`, { cause: error });
    } finally {
      this.#hooks = {};
      this.#context = undefined;
      this.forget();
      this.#keyMemo.clear();
      this.#originals.clear();
      this.#exact = false;
      if (this.#making.length > 0) this.#making.length = 0;
      this.#unhashable = undefined;
    }
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
        throw new PicklingError(`${this.where()} is a ${typeof value}, which cannot be pickled`);
    }
  }

  #object(value: object, isKey = false): void {
    if (this.#exact && isOriginal(value)) {
      this.#immutable(value, this.#originals, false);
      return;
    }
    if (this.written(value)) return;
    this.enter();
    const prototype: unknown = Object.getPrototypeOf(value);
    if ((prototype === Object.prototype || prototype === null) && !isUnusual(value)) this.#dict(value);
    else if (prototype === Array.prototype && Array.isArray(value)) this.#list(value);
    else if (prototype === Map.prototype) this.#map(value as Map<unknown, unknown>);
    else if (prototype === Set.prototype) this.#set(value as Set<unknown>);
    else if (value instanceof Uint8Array && !('shape' in value)) this.#bytes(value, value);
    else if (!this.#node(value)) this.#replaced(value, isKey);
    this.depth--;
  }

  #list(array: readonly unknown[]): void {
    this.byte(EMPTY_LIST);
    this.remember(array);
    const depth = this.depth;
    let inBatch = 0;
    for (let i = 0; i < array.length; i++) {
      if (inBatch === 0) this.byte(MARK);
      this.path[depth] = i;
      this.#value(array[i]);
      if (++inBatch === BATCH) {
        this.byte(APPENDS);
        inBatch = 0;
      }
    }
    if (inBatch > 0) this.byte(APPENDS);
  }

  #dict(object: object): void {
    this.byte(EMPTY_DICT);
    this.remember(object);
    const depth = this.depth;
    let count = 0;
    for (const key in object) {
      if (!hasOwnProperty.call(object, key)) continue;
      if (count % BATCH === 0) {
        if (count > 0) this.byte(SETITEMS);
        this.byte(MARK);
      }
      this.key(key, depth, count++);
      this.path[depth] = key;
      this.#value((object as Record<string, unknown>)[key]);
    }
    if (count === 0 && isDisguised(object)) throw unsupported(object, this.where());
    if (count === 0) return;
    this.byte(SETITEMS);
    this.endObject();
  }

  #map(map: ReadonlyMap<unknown, unknown>): void {
    this.byte(EMPTY_DICT);
    this.remember(map);
    const keyStep: Step = { into: 'keys', at: 0 };
    const valueStep: Step = { into: 'get', at: undefined };
    const depth = this.depth;
    let count = 0;
    for (const [key, value] of entriesOf.call(map)) {
      if (count % BATCH === 0) {
        if (count > 0) this.byte(SETITEMS);
        this.byte(MARK);
      }
      keyStep.at = count++;
      this.path[depth] = keyStep;
      this.#hashable(key);
      valueStep.at = key;
      this.path[depth] = valueStep;
      this.#value(value);
    }
    if (count > 0) this.byte(SETITEMS);
  }

  #set(set: ReadonlySet<unknown>): void {
    this.byte(EMPTY_SET);
    this.remember(set);
    const depth = this.depth;
    const step: Step = { into: 'values', at: 0 };
    let count = 0;
    for (const item of valuesOf.call(set)) {
      if (count % BATCH === 0) {
        if (count > 0) this.byte(ADDITEMS);
        this.byte(MARK);
      }
      step.at = count++;
      this.path[depth] = step;
      this.#hashable(item);
    }
    if (count > 0) this.byte(ADDITEMS);
  }

  /** A key or a member of a set, immutable in Python: Arrays become tuples and Sets frozensets, with all inside. */
  #hashable(value: unknown): void {
    if (typeof value !== 'object' || value === null) {
      this.#value(value);
      return;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Array.prototype || prototype === Set.prototype) {
      this.#immutable(value, this.#keyMemo, true);
    } else if (value instanceof PythonTuple) {
      // A tuple of such items is the same one as a value and as a key.
      if (value.items.every((item) => typeof item !== 'object' || item === null)) this.#object(value);
      else this.#immutable(value, this.#keyMemo, true);
    } else if (prototype === Object.prototype || prototype === Map.prototype || prototype === null) {
      this.refuseKey('a dict');
    } else if (value instanceof PythonObject) {
      if (isUnhashable(value.type)) this.refuseKey(`an object of ${value.type.toString()}`);
      this.#object(value);
    } else {
      const before = this.#unhashable?.get(value);
      if (before === 'a list' || before === 'a set') this.#immutable(value, this.#keyMemo, true);
      else if (before !== undefined) this.refuseKey(before);
      else this.#object(value, true);
    }
  }

  /** Writes an Array, a Set or a Buffer as the tuple, frozenset or bytearray that it is as a key, or was when received. */
  #immutable(value: object, memo: Memo, isKey: boolean): void {
    const index = memo.get(value);
    if (index !== undefined) {
      this.get(index);
      return;
    }
    this.enter();
    if (types.isSet(value)) this.#frozenset(value);
    else if (value instanceof Uint8Array) this.#bytearray(value);
    else this.#items(value instanceof PythonTuple ? value.items : (value as readonly unknown[]), isKey);
    this.depth--;
    // Otherwise an Array that holds another one twice, which holds another one twice, and so on, would take for ever. One
    // that contains itself was written completely while its items were written.
    if (!this.instead(value, memo)) memo.set(value, this.memoize());
  }

  #frozenset(set: ReadonlySet<unknown>): void {
    this.byte(MARK);
    const { depth } = this;
    let at = 0;
    for (const item of valuesOf.call(set)) {
      this.path[depth] = { into: 'values', at: at++ };
      this.#hashable(item);
    }
    this.byte(FROZENSET);
  }

  /** A tuple of these items. */
  #items(items: readonly unknown[], hashable = false): void {
    const { length } = items;
    if (length === 0) {
      this.byte(EMPTY_TUPLE);
      return;
    }
    if (length > 3) this.byte(MARK);
    const depth = this.depth;
    for (let i = 0; i < length; i++) {
      this.path[depth] = i;
      this.#valueOrKey(items[i], hashable);
    }
    this.byte(length > 3 ? TUPLE : TUPLE1 + length - 1);
  }

  #tuple(tuple: PythonTuple): void {
    const { items } = tuple;
    this.#items(items);
    // A tuple that contains itself, in a list, was written completely while its items were written.
    if (!this.instead(tuple, this.memo)) this.remember(tuple);
  }

  #bytearray(bytes: Uint8Array): void {
    this.global(BYTEARRAY);
    this.binary(bytes);
    this.byte(TUPLE1);
    this.byte(REDUCE);
  }

  #bytes(value: object, bytes: Uint8Array): void {
    if (isDetached(bytes)) throw new PicklingError(`${this.where()} is memory that was detached`);
    const other = value === bytes ? carried(bytes, this.#hooks, this.#context) : undefined;
    if (other === undefined) this.binary(bytes);
    else this.#instance(value, other);
    if (other === undefined) this.remember(value);
  }

  /** Writes an object that stands for an object of Python. False for any other. */
  #node(value: object): boolean {
    if (value instanceof PythonObject) this.#unknown(value);
    else if (value instanceof PythonTuple) this.#tuple(value);
    else if (value instanceof PythonGlobal) this.global(value);
    else if (value instanceof PythonFloat) this.float(value.value);
    else if (value instanceof PythonInt) this.bigint(value.value);
    else return false;
    return true;
  }

  /** Writes the replacement of an object that is neither plain data nor an object of Python. */
  #replaced(value: object, isKey: boolean): void {
    const other = replace(value, this.#hooks, this.#context);
    // Under the identity of the original, so that it is written once however often it occurs, and may contain itself.
    if (other instanceof PythonObject) {
      if (isUnhashable(other.type)) this.#notAKey(value, `an object of ${other.type.toString()}`, isKey);
      this.#instance(value, other);
    } else if (other instanceof Uint8Array) {
      this.#bytes(value, other);
    } else if (other !== undefined) {
      this.#valueOrKey(other, isKey);
    } else if (isKey && (Array.isArray(value) || types.isSet(value))) {
      this.#immutable(value, this.#keyMemo, true);
    } else if (Array.isArray(value)) {
      this.#notAKey(value, 'a list', false);
      this.#list(value);
    } else if (types.isSet(value)) {
      this.#notAKey(value, 'a set', false);
      this.#set(value);
    } else if (types.isMap(value)) {
      this.#notAKey(value, 'a dict', isKey);
      this.#map(value);
    } else if (isDict(value)) {
      this.#notAKey(value, 'a dict', isKey);
      this.#dict(value);
    } else {
      throw unsupported(value, this.where());
    }
  }

  #notAKey(value: object, what: string, isKey: boolean): void {
    if (isKey) this.refuseKey(what);
    else (this.#unhashable ??= new Map()).set(value, what);
  }

  #valueOrKey(value: unknown, isKey: boolean): void {
    if (isKey) this.#hashable(value);
    else this.#value(value);
  }

  #unknown(object: PythonObject): void {
    const outside = this.#exact;
    this.#exact = true;
    this.#instance(object, object);
    this.#exact = outside;
  }

  #arguments(value: object, args: readonly unknown[]): void {
    const making = this.#making;
    const at = making.length === 0 ? -1 : making.lastIndexOf(value);
    this.#makingFrom[making.push(value) - 1] = this.memoized;
    if (at < 0) this.#items(args);
    else this.#items(copyUnfinished(args, (list) => (this.memo.get(list) ?? -1) >= (this.#makingFrom[at] as number)));
    making.pop();
  }

  #instance(value: object, { type, args, isNew, keywords, state, setter, items, entries }: PythonObject): void {
    this.global(type);
    this.#arguments(value, args);
    if (keywords === undefined) {
      this.byte(isNew ? NEWOBJ : REDUCE);
    } else {
      this.#value(keywords);
      this.byte(NEWOBJ_EX);
    }
    if (this.instead(value, this.memo)) return;
    this.remember(value);
    this.path[this.depth] = undefined;
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
    if (setter !== undefined) {
      this.global(setter);
      this.written(value);
    }
    this.#value(state);
    if (setter === undefined) this.byte(BUILD);
    else for (const opcode of [TUPLE1 + 1, REDUCE, POP]) this.byte(opcode);
  }
}
