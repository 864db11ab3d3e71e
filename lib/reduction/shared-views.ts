// SPDX-License-Identifier: MIT
//
// Typed arrays over memory that other processes can map. They have no class of their own, so a table says which they
// are: it is empty until the first one is made or received here, and then no message looks for any.
import type { Reducible } from './registry.js';

/** The object that passes on a view; undefined for one over memory of this process alone. */
export type FindShared = (view: ArrayBufferView) => Reducible | undefined;

let find: FindShared | undefined;

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
