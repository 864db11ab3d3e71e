// SPDX-License-Identifier: MIT
//
// An object as a manager serves it: its methods by the names that Python calls.
import type { Arguments } from './arguments.js';

/** The client connection of a call, and what the call may leave with it. */
export interface Caller {
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  /** Records what ends with the connection: an item that the client may not have received, or a lock. */
  hold(held: Held): void;
  /** Forgets the oldest of what it holds that belongs to an object. */
  drop(owner: object): void;
}

/** What a connection of a client holds. */
export interface Held {
  /** The served object that it belongs to. */
  readonly owner: object;
  /** Whether the next call of the client shows that it has received this, so that it is no longer held. */
  readonly untilNextCall: boolean;
  /** Called when the connection ends first. `clean`: the client has given up its proxy before, as at a normal end. */
  release(clean: boolean): void;
}

/** An object that a manager serves. */
export interface Served {
  /** The names that clients are told, for which AutoProxy makes methods. */
  readonly exposed: readonly string[];
  /** Calls a method. Throws, or rejects with, the error for the client. */
  call(method: string, args: Arguments, caller: Caller): unknown;
  /** Whether a method may be called: an exposed one, or one that only some proxies call. */
  has(method: string): boolean;
  /** The type of the proxy that the client gets for the result of a method; undefined for the result itself. */
  proxyTypeOf(method: string): string | undefined;
  /** What `str()` of a proxy shows. */
  describe(): string;
  /** A copy of the value. CPython: `_getvalue()`. */
  value?(): unknown;
}

/** A method of a served object of type `T`. */
export type Method<T> = (object: T, args: Arguments, caller: Caller) => unknown;

/** The methods of a kind of objects, by the names that Python calls. */
export type Methods<T> = Readonly<Record<string, Method<T>>>;

/** What is not a method in a kind of objects. */
export interface Kind<T> {
  readonly methods: Methods<T>;
  /** Methods of `methods` that are not exposed. */
  readonly hidden?: readonly string[];
  readonly proxies?: Readonly<Record<string, string>>;
  describe(object: T): string;
  value?(object: T): unknown;
}

/** Serves an object of a kind. */
export function serve<T>(object: T, kind: Kind<T>): Served {
  const { methods, hidden = [], proxies = {}, value } = kind;
  return {
    exposed: Object.keys(methods).filter((name) => !hidden.includes(name)),
    has: (method) => Object.hasOwn(methods, method),
    call: (method, args, caller) => (methods[method] as Method<T>)(object, args, caller),
    proxyTypeOf: (method) => (Object.hasOwn(proxies, method) ? proxies[method] : undefined),
    describe: () => kind.describe(object),
    ...(value === undefined ? {} : { value: () => value(object) }),
  };
}
