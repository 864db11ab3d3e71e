// SPDX-License-Identifier: MIT
//
// Typed arrays over memory that other processes can map. They have no class of their own, so a table says which they
// are: it is empty until the first one is made or received here, and then no message looks for any.
import type { Reducible } from './registry.js';

/** The object that passes on a view; undefined for one over memory of this process alone. */
export type FindShared = (view: ArrayBufferView) => Reducible | undefined;

const NOWHERE = -1;

let find: FindShared | undefined;
let holds: Hold[] | undefined;
let endpoint = NOWHERE;

/** Gives up what a message holds, since no process will receive the message. Harmless after that. */
export type Hold = () => void;

/** To be called when there is a shared view in this environment. */
export function registerSharedViews(findShared: FindShared): void {
  find = findShared;
}

/** What passes on an object, if it is a view over shared memory. */
export function sharedView(object: object): Reducible | undefined {
  return find !== undefined && ArrayBuffer.isView(object) ? find(object) : undefined;
}

/** Whether there may be shared views. */
export function hasSharedViews(): boolean {
  return find !== undefined;
}

/**
 * Calls a function, and collects what the messages hold that it makes.
 *
 * @param over The endpoint over which they go: when no process can receive them any more, they hold nothing.
 */
export function collectHolds<T>(into: Hold[], call: () => T, over = endpoint): T {
  const outer = [holds, endpoint] as const;
  holds = into;
  endpoint = over;
  try {
    return call();
  } finally {
    [holds, endpoint] = outer;
    holds?.push(...into);
  }
}

/** Makes a message for an endpoint, and passes it on. If that fails, the message holds nothing any more. */
export function passOn<M, R>(over: number, make: () => M, pass: (message: M) => R): R {
  if (find === undefined) return pass(make());
  const held: Hold[] = [];
  const fail = (error: unknown): never => {
    for (const end of held) end();
    throw error;
  };
  try {
    const passed = pass(collectHolds(held, make, over));
    return passed instanceof Promise && held.length > 0 ? (passed.catch(fail) as R) : passed;
  } catch (error) {
    return fail(error);
  }
}

/** Tells the caller that collects them. */
export function addHold(hold: Hold): void {
  holds?.push(hold);
}

/** The native id of the endpoint over which the message goes that is being made; -1 if that is not known. */
export function messageEndpoint(): number {
  return endpoint;
}
