// SPDX-License-Identifier: MIT
import { Buffer } from 'node:buffer';

import { refuseShareable } from '../../reduction/shareable.js';
import { BorrowedBytes } from '../borrowed-bytes.js';
import type { Format } from '../format-types.js';
import { decodeValue } from './decoding/decoder.js';
import type { ObjectHooks } from './encoding/encoder.js';
import { encodeValue } from './encoding/index.js';
import { bytesOfLength } from './encoding/output.js';
import { BUFFER, HEADER, HOST_OBJECT, VERSION } from './tags.js';

/** What comes before the length and the bytes of a Buffer that is the whole message. */
const BEFORE_BUFFER = [HEADER, VERSION, HOST_OBJECT, BUFFER] as const;

/** From this length on a copy costs more than passing on two pieces. */
const BORROWED_BYTES = 16 * 1024;

/** The longest Buffer of which no copy is made. */
const MOST_BYTES = 0x7fffffff;

/** Objects of this package are refused, by their own errors: the caller may know another way for them. */
const refusing: ObjectHooks = {
  standIn(object) {
    refuseShareable(object);
    return 0;
  },
  errorAt: (_path, error) => error,
};

/** The message of a large Buffer, without a copy of it; undefined for any other value. */
export function serializeBorrowed(value: unknown): BorrowedBytes | undefined {
  if (!(value instanceof Buffer) || Object.getPrototypeOf(value) !== Buffer.prototype) return undefined;
  if (value.length < BORROWED_BYTES || value.length > MOST_BYTES) return undefined;
  const prefix = Buffer.allocUnsafe(BEFORE_BUFFER.length + bytesOfLength(value.length));
  prefix.set(BEFORE_BUFFER);
  let at = BEFORE_BUFFER.length;
  let left = value.length;
  for (; left >= 0x80; left >>>= 7) prefix[at++] = (left & 0x7f) | 0x80;
  prefix[at] = left;
  return new BorrowedBytes(prefix, value);
}

/** The structured clone algorithm in V8's own format: Map, Set, Date, typed arrays, cycles, BigInt and more. */
export const structured: Format = {
  encode: (value) => encodeValue(value, 'value', refusing),
  decode: (memory, length, keep) => decodeValue(memory, length, keep),
};
