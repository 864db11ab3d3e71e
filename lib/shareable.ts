// SPDX-License-Identifier: MIT
import { NotSupported } from './errors.js';

/**
 * What marks an object that stands for something in the operating system, so that no serialisation copies it as an empty
 * object: all of them read own enumerable properties, and this one throws. Made once per class and used with
 * Object.defineProperty, since a getter per object would cost each of them a shape of its own.
 */
export function shareableMark(what: string): PropertyDescriptor {
  return {
    enumerable: true,
    configurable: false,
    get(): never {
      throw new NotSupported(`An object of class ${what} cannot be part of a message`);
    },
  };
}
