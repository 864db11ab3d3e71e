// SPDX-License-Identifier: MIT
//
// What an object is by its inner state, whichever prototype it has been given.
import { types } from 'node:util';

/** A getter of this realm, which reads the inner state of objects of every realm and with any prototype. */
export function getter(prototype: object, key: PropertyKey): (object: object) => unknown {
  const { get } = Object.getOwnPropertyDescriptor(prototype, key) as { get: () => unknown };
  return (object) => get.call(object);
}

const arrays = Object.getPrototypeOf(Uint8Array.prototype) as object;
const lengthOf = getter(arrays, 'length');
const ofArrays = partsBy(arrays);
const ofDataViews = partsBy(DataView.prototype);

/** The name of the class of a typed array. */
export const arrayType = getter(arrays, Symbol.toStringTag) as (object: object) => string | undefined;

function partsBy(prototype: object): (view: object) => [ArrayBuffer, number, number] {
  const getters = ['buffer', 'byteOffset', 'byteLength'].map((key) => getter(prototype, key));
  return (view) => getters.map((get) => get(view)) as [ArrayBuffer, number, number];
}

/** The memory of a view, and which part of it. */
export function partsOfView(view: ArrayBufferView): [ArrayBuffer, number, number] {
  return (types.isDataView(view) ? ofDataViews : ofArrays)(view);
}

/** What a view shows of its memory. */
export function bytesOfView(view: ArrayBufferView): Uint8Array {
  // The memory of a small array comes into being with the first question for it.
  const isUsual = types.isUint8Array(view) && view.length === lengthOf(view);
  return isUsual ? view : new Uint8Array(...partsOfView(view));
}

/** Methods that need no prototype of their class either. */
export const entriesOf = Map.prototype.entries;
export const valuesOf = Set.prototype.values;

const { toString } = Object.prototype;

/** Whether an object with a prototype of plain ones may be of another kind. Arrays, dates, errors and others show it so. */
export function isUnusual(object: object): boolean {
  return toString.call(object) !== '[object Object]' || ArrayBuffer.isView(object);
}

/**
 * Whether an object that is not unusual and has no fields is of another kind all the same: its prototype was replaced. Each
 * question takes its time of every empty object, so there is none about kinds that have nothing to send.
 */
export function isDisguised(object: object): boolean {
  return (
    types.isMap(object) ||
    types.isSet(object) ||
    types.isAnyArrayBuffer(object) ||
    types.isPromise(object) ||
    types.isBigIntObject(object)
  );
}
