// SPDX-License-Identifier: MIT
//
// What a format is, and the types of the `serialization` option.

/** A user's own format, such as a `Packr` of msgpackr. */
export interface Serializer {
  /** The bytes that stand for a value. What it throws becomes the `cause` of a `PicklingError`. */
  serialize(value: unknown): Uint8Array;
  /** The value that bytes stand for. They may be kept. What it throws becomes the `cause` of an `UnpicklingError`. */
  deserialize(bytes: Uint8Array): unknown;
}

/** A format that also decodes from memory that is only borrowed, which saves a copy. The formats of this package do. */
export interface BorrowingSerializer extends Serializer {
  /** The value that bytes stand for. It must not refer to them: their memory is used again. */
  deserializeBorrowed(bytes: Buffer): unknown;
}

/** Packages such as msgpackr name the two methods differently. */
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
