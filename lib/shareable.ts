// SPDX-License-Identifier: MIT
import { NotSupported } from './errors.js';

/**
 * Marks an object that stands for something in the operating system, so that no serialisation copies it as an empty
 * object: all of them read own enumerable properties, and this one throws.
 */
export function markShareable(object: object, what: string): void {
  Object.defineProperty(object, 'shareable', {
    enumerable: true,
    configurable: false,
    get(): never {
      throw new NotSupported(`A ${what} cannot be part of a message`);
    },
  });
}
