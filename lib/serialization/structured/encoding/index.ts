// SPDX-License-Identifier: MIT
import { Encoder, type ObjectHooks } from './encoder.js';
import { Output } from './output.js';

/** Writes one message after the other into the same memory. */
let shared: Encoder | undefined;
let busy = false;

/**
 * The message of a value. Throws `PicklingError` with the path to a part that cannot be serialised, and what the hooks
 * throw.
 *
 * @param name The name of the value in error messages.
 * @returns Bytes that stay as they are until the next value is encoded, unless `isShared` of them is false.
 */
export function encodeValue(value: unknown, name: string, hooks: ObjectHooks): Uint8Array {
  // A getter of the value sends something else.
  if (busy) return new Encoder(Output.own()).encode(value, name, hooks);
  busy = true;
  try {
    return (shared ??= new Encoder(Output.shared())).encode(value, name, hooks);
  } finally {
    busy = false;
  }
}
