// SPDX-License-Identifier: MIT
import { inspect } from 'node:util';

import type { Limits } from '../../core/deadline.js';
import { makeFair } from '../../event-loop/fair-calls.js';
import type { Token } from './answers.js';
import type { ManagerCallOptions } from './options.js';
import { markAsOwn } from '../../reduction/shareable.js';

/** What a proxy needs of its client. */
export interface ProxyOwner {
  call(token: Token, name: string, args: readonly unknown[], options?: ManagerCallOptions): Promise<unknown>;
  request(operation: string, name: string, args: readonly unknown[], kwargs: unknown, limits: Limits): Promise<unknown>;
  readonly proxies: Set<ManagerProxy>;
}

/** How long giving up a proxy may take. */
const GIVE_UP_MS = 2000;

/**
 * An object of a manager. It has a method for each one that the manager names: `await queue.put('hello')`. CPython:
 * `AutoProxy`.
 */
export class ManagerProxy {
  readonly #owner: ProxyOwner;
  readonly #token: Token;
  /** The methods that the manager names. CPython: `_exposed_`. */
  readonly exposed: readonly string[];

  /** @internal */
  constructor(owner: ProxyOwner, token: Token, exposed: readonly string[]) {
    markAsOwn(this);
    this.#owner = owner;
    this.#token = token;
    this.exposed = exposed;
    owner.proxies.add(this);
    for (const name of exposed) {
      // An object with `then` would be taken for a promise. What this class has itself is reached by `call`.
      if (name === 'then' || name in this) continue;
      const method = (...args: unknown[]): Promise<unknown> => this.call(name, args);
      Object.defineProperty(this, name, { value: method, configurable: true });
    }
  }

  /**
   * Calls a method. CPython: `_callmethod(methodname, args, kwds)`.
   *
   * Rejects with `Empty`, `Full`, `ShutDown` where Python's queue raises them; `RemoteError` for any other exception, with
   * its class in `type`; `TimeoutError` or an AbortError, after which the manager may still be running the call: give a
   * queue its own time limit, `call('get', [true, 2.5])`.
   */
  async call(name: string, args: readonly unknown[] = [], options?: ManagerCallOptions): Promise<unknown> {
    return await this.#owner.call(this.#token, name, args, options);
  }

  /** Gives up the object, which the manager drops when no proxy is left. */
  async close(): Promise<void> {
    if (!this.#owner.proxies.delete(this)) return;
    const limits = { timeout: GIVE_UP_MS, signal: undefined };
    await this.#owner.request('close', 'decref', [this.#token.id], undefined, limits);
  }

  /** `close()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What console.log shows. */
  [inspect.custom](): string {
    return `ManagerProxy { ${this.#token.typeid}: ${this.exposed.join(', ')} }`;
  }
}

makeFair(ManagerProxy.prototype, 'call', 'close', Symbol.asyncDispose);
