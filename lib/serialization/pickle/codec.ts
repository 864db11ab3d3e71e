// SPDX-License-Identifier: MIT
//
// The two functions that everybody else uses.
import { UnpicklingError } from '../../core/errors.js';
import { Decoder } from './decoder.js';
import { Encoder } from './encoder.js';
import type { PickleHooks } from './hooks.js';

const NO_HOOKS: PickleHooks = {};

/** An encoder that is not in use. One is enough, unless a value has code of its own run that pickles something. */
let spare: Encoder | undefined;

/** The pickle of a value, in memory that is never written to again, but which small pickles share with others. */
export function encodePickle(value: unknown, hooks: PickleHooks = NO_HOOKS): Buffer {
  const encoder = spare ?? new Encoder();
  spare = undefined;
  try {
    return encoder.encode(value, hooks);
  } finally {
    spare = encoder;
  }
}

/**
 * The value of a pickle.
 *
 * @param keep Whether the value may refer to `bytes`. Otherwise it has copies only.
 */
export function decodePickle(bytes: Buffer, keep: boolean, hooks: PickleHooks = NO_HOOKS): unknown {
  try {
    return new Decoder(bytes, hooks, keep).decode();
  } catch (error) {
    if (error instanceof UnpicklingError) throw error;
    // Such as a string that is longer than strings may be.
    const reason = error instanceof Error ? `: ${error.message}` : '';
    throw new UnpicklingError(`A pickle of ${bytes.length} bytes cannot be decoded${reason}`, { cause: error });
  }
}
