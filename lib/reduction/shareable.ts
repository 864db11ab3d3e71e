// SPDX-License-Identifier: MIT
import { Unsendable } from '../core/errors.js';

/** The getters of all marks. */
const getters = new WeakSet<() => unknown>();

/**
 * What marks an object that stands for something in the operating system, so that no serialisation copies it as an empty
 * object: all of them read own enumerable properties, and this one throws. Made once per class and used with
 * Object.defineProperty, since a getter per object would cost each of them a shape of its own.
 */
export function shareableMark(what: string): PropertyDescriptor {
  const get = (): never => {
    throw new Unsendable(`An object of class ${what} cannot be part of a message`);
  };
  getters.add(get);
  return { enumerable: true, configurable: false, get };
}

/** Whether an object is marked. */
export function isShareable(object: object): boolean {
  const get = Object.getOwnPropertyDescriptor(object, 'shareable')?.get;
  return get !== undefined && getters.has(get);
}

/** Throws what a marked object says about itself. */
export function refuseShareable(object: object): void {
  Reflect.get(object, 'shareable');
}
