// SPDX-License-Identifier: MIT

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
}

/** JSON text in UTF-8, for values that JSON can hold. */
export const json = {
  serialize(value: unknown): Uint8Array {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new TypeError(`${typeof value} has no JSON form`);
    return Buffer.from(text);
  },
  deserialize: parse,
  deserializeBorrowed: parse,
};
