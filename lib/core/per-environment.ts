// SPDX-License-Identifier: MIT
import { native } from '../native/addon.js';

/** The addon makes one such object for each environment: the main thread, or a worker. */
const holder = native as { states?: Map<string, object> };
const states = (holder.states ??= new Map());

/**
 * State that an environment has once, made by `init` at the first call with this name.
 *
 * A test runner or a reloading server may evaluate the modules of this package more than once over one addon. The copies
 * share what the addon has, such as the poller and the numbers of the endpoints, so they must share what belongs to it too.
 */
export function perEnvironment<T extends object>(name: string, init: () => T): T {
  let state = states.get(name);
  if (state === undefined) states.set(name, (state = init()));
  return state as T;
}
