// SPDX-License-Identifier: MIT
//
// The codec, which codec.ts loads.
import { UnpicklingError } from '../../core/errors.js';
import { isError } from '../../core/realms.js';
import type { FormatContext } from '../format-types.js';
import { Decoder } from './decoding/decoder.js';
import { Encoder } from './encoding/encoder.js';
import type { PickleHooks } from './hooks.js';

const NO_HOOKS: PickleHooks = {};

/** An encoder that is not in use. One is enough, unless encoding a value runs code of a user that pickles something. */
let spare: Encoder | undefined;

/** As `encodePickle`. */
export function encode(value: unknown, hooks: PickleHooks = NO_HOOKS, context?: FormatContext): Buffer {
  const encoder = spare ?? new Encoder();
  spare = undefined;
  try {
    return encoder.encode(value, hooks, context);
  } finally {
    spare = encoder;
  }
}

/** As `decodePickle`. */
export function decode(bytes: Buffer, keep: boolean, hooks: PickleHooks = NO_HOOKS, context?: FormatContext): unknown {
  try {
    return new Decoder(bytes, hooks, keep, context).decode();
  } catch (error) {
    if (error instanceof UnpicklingError) throw error;
    // Such as a string that is longer than strings may be.
    const reason = isError(error) ? `: ${error.message}` : '';
    throw new UnpicklingError(`A pickle of ${bytes.length} bytes cannot be decoded${reason}`, { cause: error });
  }
}
