// SPDX-License-Identifier: MIT
//
// Tuples, frozensets and bytearrays are Arrays, Sets and Buffers in JavaScript, and go back as lists, sets and bytes.
// That is not so inside of an object of an unknown class: its class in Python may accept nothing else than what the
// pickle had. So the decoder records what these were, and the encoder asks for what it writes inside of such an object.

const originals = new WeakSet<object>();

/** Records that these were tuples, frozensets and bytearrays in the pickle from which they come. */
export function addOriginals(objects: readonly object[]): void {
  for (const object of objects) originals.add(object);
}

/** Whether an Array was a tuple, a Set a frozenset, or a Buffer a bytearray. */
export function isOriginal(object: object): boolean {
  return originals.has(object);
}
