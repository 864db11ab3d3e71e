// SPDX-License-Identifier: MIT
import { setImmediate } from '../core/own-turns.js';

/** Resolves in the next turn of the event loop. Node's own function is in a module that each child would load for it. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
