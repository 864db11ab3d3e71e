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

/** The structured clone algorithm in V8's own format: Map, Set, Date, typed arrays, cycles, BigInt and more. */
export const structured = {
  serialize(value: unknown): Uint8Array {
    return serialize(value);
  },
  deserialize(bytes: Uint8Array): unknown {
    return isParcel(bytes) ? new Parcel(bytes) : deserialize(bytes);
  },
  deserializeLent(bytes: Buffer): unknown {
    if (isParcel(bytes)) return new Parcel(bytes);
    const deserializer = new CopyingDeserializer(bytes);
    deserializer.readHeader();
    return deserializer.readValue();
  },
};
