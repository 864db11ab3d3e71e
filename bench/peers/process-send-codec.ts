// SPDX-License-Identifier: MIT
export type Serialization = 'json' | 'advanced';

interface Codec {
  encode(payload: Buffer): string | Buffer;
  decode(message: unknown): Buffer;
}

/** The form of bytes in `process.send`, for the parent and the child. */
export const codecs: Readonly<Record<Serialization, Codec>> = {
  // JSON has no bytes. base64 is the shortest string form for arbitrary bytes: latin1 would need escapes and two-byte
  // characters.
  json: {
    encode: (payload) => payload.toString('base64'),
    decode: (message) => Buffer.from(message as string, 'base64'),
  },
  advanced: {
    encode: (payload) => payload,
    // In some versions the structured clone of a Buffer arrives as a plain Uint8Array. A view costs nothing where it
    // does not.
    decode: (message) => {
      const bytes = message as Uint8Array;
      return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
  },
};
