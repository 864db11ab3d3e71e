// SPDX-License-Identifier: MIT
import type { PickleHooks } from '../hooks.js';
import { known } from '../known/index.js';
import { PythonGlobal } from '../nodes.js';
import { registeredReducer } from '../registry.js';

/**
 * The class or function of this name: that of the hooks, of the user, or of the known ones. If none has it and unknown
 * ones are accepted, a global without a reducer, as for all that is to be passed on exactly.
 */
export function findGlobal(module: string, name: string, hooks: PickleHooks): PythonGlobal | undefined {
  if (hooks.exact === true) return hooks.reducers?.get(module)?.get(name) ?? new PythonGlobal(module, name);
  return (
    hooks.reducers?.get(module)?.get(name) ??
    registeredReducer(module, name) ??
    known.get(module)?.get(name) ??
    (hooks.unknown === 'opaque' ? new PythonGlobal(module, name) : undefined)
  );
}
