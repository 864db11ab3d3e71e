// SPDX-License-Identifier: MIT
//
// The two functions through which everything else uses the codec. The codec is loaded with the first call: it is a quarter of what
// loading the package takes, and most programs have no pickles.
import { requireLater } from '../../reduction/load-later.js';
import type { FormatContext } from '../format-types.js';
import type * as Coders from './coders.js';
import type { PickleHooks } from './hooks.js';

let loaded: typeof Coders | undefined;

function coders(): typeof Coders {
  return (loaded ??= requireLater(import.meta.filename, './coders.js') as typeof Coders);
}

/** Loads the codec now. */
export function loadCoders(): void {
  coders();
}

/**
 * The pickle of a value, in memory that is never written to again, but which small pickles share with others.
 *
 * @param context What the hooks are told, if anything.
 */
export function encodePickle(value: unknown, hooks?: PickleHooks, context?: FormatContext): Buffer {
  return coders().encode(value, hooks, context);
}

/**
 * The value of a pickle.
 *
 * @param keep Whether the value may refer to `bytes`. Otherwise it has copies only.
 * @param context What reducers are told, if anything.
 */
export function decodePickle(bytes: Buffer, keep: boolean, hooks?: PickleHooks, context?: FormatContext): unknown {
  return coders().decode(bytes, keep, hooks, context);
}
