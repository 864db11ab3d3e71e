// SPDX-License-Identifier: MIT
//
// How each object is rebuilt that was passed on, and the format 'pickle'. A process loads most of that when it first meets an
// object of a kind, in the middle of a call: few programs need all of it, and loading it takes a part of every start.
import './connection/rebuild.js';
import { keepModules, loadsLater, requireLater } from './reduction/load-later.js';
import { registerRebuild, rebuildObject, type Rebuild } from './reduction/registry.js';
import { registerFormat } from './serialization/codec.js';
import { loadCoders } from './serialization/pickle/codec.js';
import type { PickleFormat } from './serialization/pickle/serializer.js';

const load = (module: string): unknown => requireLater(import.meta.filename, module);

/** An entry that loads a module and then rebuilds the object with it. The entries of the module replace this one. */
function loading(module: string): Rebuild {
  return (fields, name, importer, rebuildPart) => {
    load(module);
    return rebuildObject(fields, name, importer, rebuildPart);
  };
}

const MODULES = {
  synchronize: './synchronize/rebuild.js',
  queues: './queues/rebuild.js',
  arrays: './shared-memory/array-views.js',
  memory: './shared-memory/rebuild.js',
  // The module registers its format in the place of the one below.
  pickling: './python/pickling.js',
};

registerRebuild(['Lock', 'RLock', 'Semaphore', 'BoundedSemaphore', 'Condition', 'Event'], loading(MODULES.synchronize));
registerRebuild(['Queue', 'JoinableQueue', 'SimpleQueue'], loading(MODULES.queues));
registerRebuild(['SharedArray'], loading(MODULES.arrays));
registerRebuild(
  ['SharedMemory', 'ShareableList', 'RawValue', 'RawArray', 'Value', 'Array', 'Barrier'],
  loading(MODULES.memory),
);

registerFormat('pickle', {
  serializer: (options) => (load(MODULES.pickling) as { readonly format: PickleFormat }).format.serializer(options),
});

/**
 * Called by each module that users import when it has loaded all that it imports. Loads the rest where that cannot be done later.
 *
 * @param file Its file.
 */
export function loadedAll(file: string): void {
  keepModules(file);
  if (loadsLater) return;
  Object.values(MODULES).forEach(load);
  loadCoders();
}
