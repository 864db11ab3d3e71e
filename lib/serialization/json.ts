// SPDX-License-Identifier: MIT
import type { BorrowingSerializer } from './formats.js';

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
}

/** JSON text in UTF-8, for values that JSON can hold. */
export const json: BorrowingSerializer = {
  serialize(value) {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new TypeError(`${typeof value} has no JSON form`);
    return Buffer.from(text);
  },
  deserialize: parse,
  deserializeBorrowed: parse,
};
