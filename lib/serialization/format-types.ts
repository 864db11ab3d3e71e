// SPDX-License-Identifier: MIT
//
// The types of the `serialization` option, and the interface that all formats have inside of this package.

/** A user's own format, such as a `Packr` of msgpackr. */
export interface Serializer {
  /** Returns the bytes of a value. An error that it throws becomes the `cause` of a `PicklingError`. */
  serialize(value: unknown): Uint8Array;
  /**
   * Returns the value of bytes, which it may keep. An error that it throws becomes the `cause` of an `UnpicklingError`.
   */
  deserialize(bytes: Uint8Array): unknown;
}

/** The names that packages such as msgpackr give to the two methods. */
export interface PackUnpack {
  /** As `serialize`. */
  pack(value: unknown): Uint8Array;
  /** As `deserialize`. */
  unpack(bytes: Uint8Array): unknown;
}

/**
 * The formats that have a name: V8's structured clone, JSON, and Python's pickle.
 */
export type BuiltInSerialization = 'structured' | 'json' | 'pickle';

/** How a channel turns objects into messages; both ends must use the same. */
export type Serialization = BuiltInSerialization | Serializer | PackUnpack;

/**
 * What the caller of one encode or decode passes to the hooks of a format, such as the descriptors that belong to a
 * message. The formats themselves do not look into it, and those without hooks ignore it.
 */
export type FormatContext = object;

/** A format, as this package uses it. */
export interface Format {
  /** Returns the bytes of a value, in memory that may be used again for the next value. See `ownBytes`. */
  encode(value: unknown, context?: FormatContext): Uint8Array;
  /**
   * Returns the value of a message.
   *
   * @param memory It begins with the message.
   * @param length The length of the message.
   * @param keep Whether the value may refer to `memory`. Otherwise that is used again.
   */
  decode(memory: Buffer, length: number, keep: boolean, context?: FormatContext): unknown;
}
