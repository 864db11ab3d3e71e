// SPDX-License-Identifier: MIT
import { Unsendable } from '../core/errors.js';

/** The getters of all marks. */
const getters = new WeakSet<() => unknown>();

/**
 * A property that marks an object over a resource of the operating system, so that no serialisation copies it as an
 * empty object: all serialisers read own enumerable properties, and this one throws. Made once per class and used with
 * Object.defineProperty, since a getter per object would give each object a hidden class of its own.
 */
export function shareableMark(typeName: string): PropertyDescriptor {
  const get = (): never => {
    throw new Unsendable(`An object of class ${typeName} cannot be part of a message`);
  };
  getters.add(get);
  return { enumerable: true, configurable: false, get };
}

/** Whether an object is marked. */
export function isShareable(object: object): boolean {
  const get = Object.getOwnPropertyDescriptor(object, 'shareable')?.get;
  return get !== undefined && getters.has(get);
}

/** Throws the error of a marked object. */
export function refuseShareable(object: object): void {
  Reflect.get(object, 'shareable');
}
