// SPDX-License-Identifier: MIT
import type { PickleHooks } from './hooks.js';
import { known } from './known/index.js';
import { PythonGlobal } from './nodes.js';
import { registeredReducer } from './registry.js';

/** The class or function of this name: the caller's, the user's or a known one, or, if wanted, one that means nothing. */
export function findGlobal(module: string, name: string, hooks: PickleHooks): PythonGlobal | undefined {
  return (
    hooks.reducers?.get(module)?.get(name) ??
    registeredReducer(module, name) ??
    known.get(module)?.get(name) ??
    (hooks.unknown === 'opaque' ? new PythonGlobal(module, name) : undefined)
  );
}
