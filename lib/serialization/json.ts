// SPDX-License-Identifier: MIT
import type { Format } from './format-types.js';

/** JSON text in UTF-8, for values that JSON can hold. */
export const json: Format = {
  encode(value) {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new TypeError(`${typeof value} has no JSON form`);
    return Buffer.from(text);
  },
  decode: (memory, length) => JSON.parse(memory.toString('utf8', 0, length)) as unknown,
};
