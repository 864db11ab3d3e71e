// SPDX-License-Identifier: MIT
import { DefaultDeserializer, deserialize, serialize } from 'node:v8';

import { isParcel, Parcel } from './parcel.js';

/** Copies what Node's deserializer makes as a view on the message, so that the message's memory can be used again. */
class CopyingDeserializer extends DefaultDeserializer {
  _readHostObject(): ArrayBufferView {
    const base = DefaultDeserializer.prototype as unknown as { _readHostObject(): ArrayBufferView };
    const view = base._readHostObject.call(this);
    const { buffer, byteOffset, byteLength } = view;
    const copy = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
    if (view instanceof Buffer) return Buffer.from(copy);
    const Type = view.constructor as new (buffer: ArrayBuffer) => ArrayBufferView;
    return new Type(copy);
  }
}

/** The longest Buffer whose length is one byte in V8's format. */
const SHORT_BYTES = 0x7f;

/**
 * What V8 writes before the length and the bytes of a Buffer. Short ones are written and read here, since the way through V8
 * takes longer than everything else that is done for such a message.
 */
const BEFORE_BUFFER = serialize(Buffer.alloc(0)).subarray(0, -1);
const HEAD_BYTES = BEFORE_BUFFER.length + 1;

function isShortBuffer(value: unknown): value is Buffer {
  return value instanceof Buffer && value.length <= SHORT_BYTES && Object.getPrototypeOf(value) === Buffer.prototype;
}

function serializeShort(value: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + value.length);
  bytes.set(BEFORE_BUFFER);
  bytes[HEAD_BYTES - 1] = value.length;
  bytes.set(value, HEAD_BYTES);
  return bytes;
}

/** A copy of the Buffer that a message is, if it is a short one. */
function deserializeShort(bytes: Buffer): Buffer | undefined {
  const length = bytes.length - HEAD_BYTES;
  if (length < 0 || length > SHORT_BYTES || bytes[HEAD_BYTES - 1] !== length) return undefined;
  for (let i = 0; i < HEAD_BYTES - 1; i++) if (bytes[i] !== BEFORE_BUFFER[i]) return undefined;
  return Buffer.from(bytes.subarray(HEAD_BYTES));
}

/** The structured clone algorithm in V8's own format: Map, Set, Date, typed arrays, cycles, BigInt and more. */
export const structured = {
  serialize(value: unknown): Uint8Array {
    return isShortBuffer(value) ? serializeShort(value) : serialize(value);
  },
  deserialize(bytes: Uint8Array): unknown {
    return isParcel(bytes) ? new Parcel(bytes) : deserialize(bytes);
  },
  deserializeLent(bytes: Buffer): unknown {
    const short = deserializeShort(bytes);
    if (short !== undefined) return short;
    if (isParcel(bytes)) return new Parcel(bytes);
    const deserializer = new CopyingDeserializer(bytes);
    deserializer.readHeader();
    return deserializer.readValue();
  },
};
