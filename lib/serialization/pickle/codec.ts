// SPDX-License-Identifier: MIT
//
// The two functions through which everything else uses the codec.
import { UnpicklingError } from '../../core/errors.js';
import { isError } from '../../core/realms.js';
import type { FormatContext } from '../format-types.js';
import { Decoder } from './decoding/decoder.js';
import { Encoder } from './encoding/encoder.js';
import type { PickleHooks } from './hooks.js';

const NO_HOOKS: PickleHooks = {};

/** An encoder that is not in use. One is enough, unless encoding a value runs code of a user that pickles something. */
let spare: Encoder | undefined;

/**
 * The pickle of a value, in memory that is never written to again, but which small pickles share with others.
 *
 * @param context What the hooks are told, if anything.
 */
export function encodePickle(value: unknown, hooks: PickleHooks = NO_HOOKS, context?: FormatContext): Buffer {
  const encoder = spare ?? new Encoder();
  spare = undefined;
  try {
    return encoder.encode(value, hooks, context);
  } finally {
    spare = encoder;
  }
}

/**
 * The value of a pickle.
 *
 * @param keep Whether the value may refer to `bytes`. Otherwise it has copies only.
 * @param context What reducers are told, if anything.
 */
export function decodePickle(
  bytes: Buffer,
  keep: boolean,
  hooks: PickleHooks = NO_HOOKS,
  context?: FormatContext,
): unknown {
  try {
    return new Decoder(bytes, hooks, keep, context).decode();
  } catch (error) {
    if (error instanceof UnpicklingError) throw error;
    // Such as a string that is longer than strings may be.
    const reason = isError(error) ? `: ${error.message}` : '';
    throw new UnpicklingError(`A pickle of ${bytes.length} bytes cannot be decoded${reason}`, { cause: error });
  }
}
