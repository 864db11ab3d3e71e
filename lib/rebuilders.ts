// SPDX-License-Identifier: MIT
//
// How each object is rebuilt that was passed on, and the format 'pickle'. A process loads most of that when it first meets an
// object of a kind, in the middle of a call: few programs need all of it, and loading it takes a part of every start.
import { createRequire } from 'node:module';

import './connection/rebuild.js';
import { registerRebuild, rebuildObject, type Rebuild } from './reduction/registry.js';
import { registerFormat } from './serialization/codec.js';
import type { PickleFormat } from './serialization/pickle/serializer.js';

const require = createRequire(import.meta.filename);

/** An entry that loads a module and then rebuilds the object with it. The entries of the module replace this one. */
function loading(module: string): Rebuild {
  return (fields, name, importer, rebuildPart) => {
    require(module);
    return rebuildObject(fields, name, importer, rebuildPart);
  };
}

registerRebuild(
  ['Lock', 'RLock', 'Semaphore', 'BoundedSemaphore', 'Condition', 'Event'],
  loading('./synchronize/rebuild.js'),
);
registerRebuild(['Queue', 'JoinableQueue', 'SimpleQueue'], loading('./queues/rebuild.js'));
registerRebuild(['SharedArray'], loading('./shared-memory/array-views.js'));
registerRebuild(
  ['SharedMemory', 'ShareableList', 'RawValue', 'RawArray', 'Value', 'Array', 'Barrier'],
  loading('./shared-memory/rebuild.js'),
);

/** The module registers its format in the place of this one. */
const PICKLING = './python/pickling.js';

registerFormat('pickle', {
  serializer: (options) => (require(PICKLING) as { readonly format: PickleFormat }).format.serializer(options),
});
