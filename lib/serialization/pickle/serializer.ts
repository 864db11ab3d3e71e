// SPDX-License-Identifier: MIT
import type { FormatContext } from '../format-types.js';
import { decodePickle, encodePickle } from './codec.js';
import type { PickleHooks } from './hooks.js';
import { optionNames } from '../../core/validate.js';

/** Options of reading pickles. */
export interface PickleOptions {
  /** What becomes of a class or function that is neither known nor registered. Default: an `UnpicklingError`. */
  unknown?: 'error' | 'opaque' | undefined;
}

/** @internal */
export const pickleNames = optionNames<PickleOptions>({ unknown: true });

/** Turns objects on a channel into pickles and back. */
export class PickleSerializer {
  readonly #hooks: PickleHooks;

  /** @internal */
  constructor({ unknown }: PickleOptions = {}, hooks: PickleHooks = {}) {
    this.#hooks = { ...hooks, unknown };
  }

  /** The pickle of a value. */
  serialize(value: unknown): Uint8Array {
    return encodePickle(value, this.#hooks);
  }

  /** The value of a pickle, which may refer to the bytes. */
  deserialize(bytes: Uint8Array): unknown {
    return decodePickle(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), true, this.#hooks);
  }

  /** @internal As `Format.encode`. */
  encode(value: unknown, context?: FormatContext): Uint8Array {
    return encodePickle(value, this.#hooks, context);
  }

  /** @internal As `Format.decode`. */
  decode(memory: Buffer, length: number, keep: boolean, context?: FormatContext): unknown {
    return decodePickle(memory.subarray(0, length), keep, this.#hooks, context);
  }
}

/** Pickles as a format of channels. */
export interface PickleFormat {
  /** The serializer of channels that name the format; with options, a new one that has them. */
  serializer(options?: PickleOptions): PickleSerializer;
  /**
   * Whether an object that a user passed as `serialization` is a serializer of this format. Missing while the format is not
   * loaded, so that there is no such object.
   */
  includes?(serializer: unknown): serializer is PickleSerializer;
}

/** Pickles in which there may be what these hooks know, such as handles of Connections. */
export function pickleFormat(hooks: PickleHooks): PickleFormat {
  const shared = new PickleSerializer({}, hooks);
  return {
    serializer: (options) => (options === undefined ? shared : new PickleSerializer(options, hooks)),
    includes: (serializer) => serializer instanceof PickleSerializer,
  };
}
