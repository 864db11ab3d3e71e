// SPDX-License-Identifier: MIT
//
// Writes values in V8's format, in one pass: each property is read once, and a part that cannot be carried is refused
// with the path to it.
import { types } from 'node:util';

import { MultiprocessingError, PicklingError } from '../../../core/errors.js';
import { entriesOf, isDisguised, isUnusual, valuesOf } from '../../inner-state.js';
import { isError } from '../../../core/realms.js';
import { isShareable } from '../../../reduction/shareable.js';
import { sharedView } from '../../../reduction/shared-views.js';
import * as tags from '../tags.js';
import { refusalOf } from '../v8.js';
import { classNameOf, hidesState, isOpaque, kindOfClass, type ClassKind } from './classes.js';
import { isErrorObject, partsOf } from './error-parts.js';
import { firstKey, indexOfKey, type KnownKey } from './keys.js';
import { writeArrayBuffer, writeBoxed, writeDate, writeRegExp, writeView } from './leaves.js';
import { keysOfUnusual } from './lists.js';
import { MetObjects } from './met-objects.js';
import type { Output } from './output.js';
import { pathOf, type Step } from './path.js';

/** What becomes of the objects of this package in a value. */
export interface ObjectHooks {
  /** Returns the number that stands for an object, or throws. */
  standIn(object: object): number;
  /** Whether typed arrays over shared memory have stand-ins, too. */
  readonly views?: boolean;
  /** The error that `standIn` has thrown, for the object at a path. */
  errorAt(path: string, error: unknown): unknown;
}

const { isPromise, isProxy } = types;
const { hasOwnProperty } = Object.prototype;

/** Encodes one value after the other. */
export class Encoder {
  readonly #output: Output;
  readonly #met = new MetObjects();
  #hooks: ObjectHooks | undefined;
  /** The errors whose causes are being written, outermost first. */
  readonly #openErrors: object[] = [];
  /** The way back from the part that was refused. */
  #steps: Step[] = [];
  /** Makes the error for a part that was refused, with its path. */
  #refusal: ((path: string) => unknown) | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  /**
   * The message of a value.
   *
   * @param name The name of the value in error messages.
   */
  encode(value: unknown, name: string, hooks: ObjectHooks): Uint8Array {
    this.#hooks = hooks;
    this.#output.byte(tags.HEADER);
    this.#output.byte(tags.VERSION);
    try {
      if (!this.#primitive(value)) this.#part(value as object);
      return this.#output.take();
    } catch (error) {
      this.#output.drop();
      throw this.#errorFor(error, name);
    } finally {
      this.#met.clear();
      this.#hooks = this.#refusal = undefined;
      if (this.#steps.length > 0) this.#steps = [];
      // V8 sets a length by a slow way, also if it is the same.
      if (this.#openErrors.length > 0) this.#openErrors.length = 0;
    }
  }

  #errorFor(error: unknown, name: string): unknown {
    if (this.#refusal !== undefined) return this.#refusal(pathOf(name, this.#steps));
    // A copy of an object of this package refuses itself.
    if (error instanceof MultiprocessingError) return error;
    const isTooDeep = error instanceof RangeError && error.message.includes('call stack');
    const problem = isTooDeep
      ? `${name} is nested too deeply`
      : `${pathOf(name, this.#steps)} cannot be serialised: ${reasonOf(error)}`;
    return new PicklingError(problem, { cause: error });
  }

  /** Writes a value that is no object; false for any other. */
  #primitive(value: unknown): boolean {
    const output = this.#output;
    switch (typeof value) {
      case 'string':
        output.string(value);
        return true;
      case 'number':
        output.number(value);
        return true;
      case 'boolean':
        output.byte(value ? tags.TRUE : tags.FALSE);
        return true;
      case 'undefined':
        output.byte(tags.UNDEFINED);
        return true;
      case 'bigint':
        output.byte(tags.BIGINT);
        output.bigint(value);
        return true;
      case 'object':
        if (value !== null) return false;
        output.byte(tags.NULL);
        return true;
      default:
        return false;
    }
  }

  /** Writes any value, to which a step leads. */
  #value(value: unknown, step: Step): void {
    if (!this.#primitive(value)) this.#step(value as object, step);
  }

  /** Writes an object, or refuses a function or a symbol. */
  #part(object: object): void {
    if (typeof object !== 'object') {
      this.#refuse(`is a ${typeof object}, which cannot be serialised`, refusalOf(object));
    }
    const number = this.#met.find(object);
    if (number >= 0) {
      if (this.#openErrors.includes(object))
        this.#refuse('is an error inside its own cause, which Node 20 cannot read');
      this.#output.byte(tags.REFERENCE);
      this.#output.length(number);
      return;
    }
    if (isProxy(object)) this.#refuseAsV8(object);
    if (Array.isArray(object)) {
      this.#array(object);
      return;
    }
    const prototype = Object.getPrototypeOf(object) as object | null;
    if (prototype === Object.prototype || prototype === null) this.#plain(object);
    else this.#other(object, prototype);
  }

  /** An object with the prototype of one that has fields only. Any object may have been given it. */
  #plain(object: object): void {
    if (isUnusual(object)) {
      if (this.#writeForm(object)) return;
      if (types.isArgumentsObject(object) || types.isModuleNamespaceObject(object)) this.#refuseAsV8(object);
    }
    this.#fields(object);
  }

  /** The fields of an object that are strings and its own. */
  #fields(object: object): void {
    const output = this.#output;
    output.byte(tags.OBJECT);
    let count = 0;
    let known: KnownKey | undefined = firstKey();
    // In such a loop the key leads to the field without a search.
    for (const key in object) {
      if (!hasOwnProperty.call(object, key)) continue;
      if (known !== undefined) known = known.expected === key ? known.follower : known.find(key);
      if (known !== undefined) output.again(known.bytes);
      else this.#key(key);
      const field = (object as Record<string, unknown>)[key];
      if (!this.#primitive(field)) this.#step(field as object, key);
      count++;
    }
    // For objects with fields, these questions would be a good part of the work.
    if (count === 0 && isDisguised(object)) {
      output.back();
      if (this.#writeForm(object)) return;
      this.#refuseAsV8(object);
      output.byte(tags.OBJECT);
    }
    output.byte(tags.END_OBJECT);
    output.length(count);
  }

  #key(key: string): void {
    const index = indexOfKey(key);
    if (index === undefined) this.#output.string(key);
    else this.#output.number(index);
  }

  #array(array: readonly unknown[]): void {
    const keys = keysOfUnusual(array);
    if (keys !== undefined) {
      this.#listed(array, keys);
      return;
    }
    const output = this.#output;
    const { length } = array;
    output.byte(tags.DENSE);
    output.length(length);
    for (let i = 0; i < length; i++) {
      const item = array[i];
      if (item === undefined && !Object.hasOwn(array, i)) output.byte(tags.HOLE);
      else if (!this.#primitive(item)) this.#step(item as object, i);
    }
    output.byte(tags.END_DENSE);
    output.length(0);
    output.length(length);
  }

  /** An array with holes or with properties that are no items. */
  #listed(array: readonly unknown[], keys: readonly string[]): void {
    const output = this.#output;
    const { length } = array;
    output.byte(tags.SPARSE);
    output.length(length);
    let count = 0;
    for (const key of keys) {
      // A getter may have removed it.
      if (!Object.hasOwn(array, key)) continue;
      this.#key(key);
      this.#value((array as unknown as Record<string, unknown>)[key], key);
      count++;
    }
    output.byte(tags.END_SPARSE);
    output.length(count);
    output.length(length);
  }

  /** An object that is neither a plain one nor an array. */
  #other(object: object, prototype: object): void {
    const kind = kindOfClass(prototype);
    if (object === globalThis) this.#refuseAsV8(object);
    if (kind === 'fields') {
      if (Object.hasOwn(object, 'shareable') && isShareable(object)) this.#shareable(object);
      else this.#plain(object);
    } else if (!this.#writeForm(object)) {
      this.#unknown(object, kind);
    }
  }

  /** Writes an object that has a form of its own in the format; false for any other. */
  #writeForm(object: object): boolean {
    const output = this.#output;
    if (ArrayBuffer.isView(object)) this.#view(object);
    else if (types.isDate(object)) writeDate(output, object);
    else if (types.isMap(object)) this.#map(object);
    else if (types.isSet(object)) this.#set(object);
    else if (types.isArrayBuffer(object)) writeArrayBuffer(output, object);
    else if (isErrorObject(object)) this.#error(object);
    else if (types.isRegExp(object)) writeRegExp(output, object);
    else if (types.isBoxedPrimitive(object)) writeBoxed(output, object);
    else return false;
    return true;
  }

  #view(view: ArrayBufferView): void {
    if (this.#hooks?.views === true && sharedView(view) !== undefined) this.#shareable(view);
    else writeView(this.#output, view);
  }

  #shareable(object: object): void {
    const hooks = this.#hooks as ObjectHooks;
    let number;
    try {
      number = hooks.standIn(object);
    } catch (error) {
      this.#refusal = (path) => hooks.errorAt(path, error);
      throw error;
    }
    this.#output.byte(tags.HOST_OBJECT);
    this.#output.length(tags.STAND_IN);
    this.#output.length(number);
  }

  #map(map: ReadonlyMap<unknown, unknown>): void {
    const output = this.#output;
    output.byte(tags.MAP);
    let count = 0;
    // A copy, which no getter of a key or a value changes.
    for (const [key, value] of [...entriesOf.call(map)]) {
      const at = count++;
      this.#value(key, () => `.keys()[${at}]`);
      this.#value(value, () => `.get(${typeof key === 'string' ? JSON.stringify(key) : `key ${at}`})`);
    }
    output.byte(tags.END_MAP);
    output.length(2 * count);
  }

  #set(set: ReadonlySet<unknown>): void {
    const output = this.#output;
    output.byte(tags.SET);
    let count = 0;
    for (const value of [...valuesOf.call(set)]) {
      const at = count++;
      this.#value(value, () => `.values()[${at}]`);
    }
    output.byte(tags.END_SET);
    output.length(count);
  }

  #error(error: object): void {
    const output = this.#output;
    const { classTag, message, stack, cause } = partsOf(error);
    output.byte(tags.ERROR);
    if (classTag !== undefined) output.byte(classTag);
    if (message !== undefined) {
      output.byte(tags.ERROR_MESSAGE);
      output.string(message);
    }
    if (stack !== undefined) {
      output.byte(tags.ERROR_STACK);
      output.string(stack);
    }
    if (cause !== undefined) {
      output.byte(tags.ERROR_CAUSE);
      this.#openErrors.push(error);
      this.#value(cause.value, 'cause');
      this.#openErrors.pop();
    }
    output.byte(tags.ERROR_END);
  }

  /** An object of which only V8 knows whether it is more than its fields. */
  #unknown(object: object, kind: ClassKind): void {
    const isHidden = kind === 'platform' || (kind === 'module' && hidesState(object));
    if (isHidden && !isOpaque(object)) {
      this.#refuse(`is an object of ${classNameOf(object)}, which cannot be serialised`);
    }
    if (isOpaque(object) || Object.keys(object).length === 0) this.#refuseAsV8(object);
    this.#fields(object);
  }

  /** Writes an object, or refuses another part, to which a step leads. */
  #step(part: object, step: Step): void {
    try {
      this.#part(part);
    } catch (error) {
      this.#steps.push(step);
      throw error;
    }
  }

  /** Refuses an object if V8 does, for its reason. */
  #refuseAsV8(object: object): void {
    const cause = refusalOf(object);
    if (cause === undefined) return;
    this.#refuse(
      isPromise(object) ? 'is a Promise: await it first' : `cannot be serialised: ${reasonOf(cause)}`,
      cause,
    );
  }

  /** @param problem What the error says behind the path. */
  #refuse(problem: string, cause?: unknown): never {
    const options = cause === undefined ? undefined : { cause };
    this.#refusal = (path) => new PicklingError(`${path} ${problem}`, options);
    throw new PicklingError(problem, options);
  }
}

function reasonOf(error: unknown): string {
  return isError(error) ? error.message : String(error);
}
