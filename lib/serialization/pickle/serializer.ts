// SPDX-License-Identifier: MIT
import { decodePickle, encodePickle } from './codec.js';
import type { PickleHooks } from './hooks.js';

/** Options of reading pickles. */
export interface PickleOptions {
  /** What becomes of a class or function that is neither known nor registered. Default: an `UnpicklingError`. */
  unknown?: 'error' | 'opaque' | undefined;
}

let channelHooks: PickleHooks = {};

/** Adds to what the pickles of channels may hold, such as handles of Connections. Later hooks are asked first. */
export function addChannelHooks(hooks: PickleHooks): void {
  const before = channelHooks;
  channelHooks = {
    reduce: (object) => hooks.reduce?.(object) ?? before.reduce?.(object),
    reducers: new Map([...(before.reducers ?? []), ...(hooks.reducers ?? [])]),
  };
}

/** Turns objects on a channel into pickles and back. */
export class PickleSerializer {
  readonly #unknown: PickleOptions['unknown'];
  #hooks: PickleHooks = channelHooks;
  /** What `#hooks` were made from. */
  #base: PickleHooks = channelHooks;

  /** @internal */
  constructor({ unknown }: PickleOptions = {}) {
    this.#unknown = unknown;
    this.#hooks = { ...channelHooks, unknown };
  }

  /** The pickle of a value. */
  serialize(value: unknown): Uint8Array {
    return encodePickle(value, this.#current());
  }

  /** The value of a pickle, which may refer to the bytes. */
  deserialize(bytes: Uint8Array): unknown {
    return decodePickle(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), true, this.#current());
  }

  /** @internal The value of a pickle in memory that is only lent. */
  deserializeBorrowed(bytes: Buffer): unknown {
    return decodePickle(bytes, false, this.#current());
  }

  #current(): PickleHooks {
    if (this.#base !== channelHooks) {
      this.#base = channelHooks;
      this.#hooks = { ...channelHooks, unknown: this.#unknown };
    }
    return this.#hooks;
  }
}
