// SPDX-License-Identifier: MIT
//
// The program that a Process runs, as `node child-main.js <descriptor of the bootstrap channel> <file of the addon>`. A Python
// parent does not know that file: it passes an empty one, and the word `python`.
//
// Loading the whole package takes a sixth of the start of a child. So a child begins with what every child needs, and loads
// the rest when it first meets an object of it, in the middle of a call.
import { createRequire } from 'node:module';

import './connection/reduction.js';
import { runChild } from './process/bootstrap-child.js';
import type * as pickling from './python/pickling.js';
import type * as rebuild from './python/rebuild.js';
import { registerRebuild, rebuildObject, type Rebuild } from './reduction/registry.js';
import { registerFormat } from './serialization/codec.js';

const require = createRequire(import.meta.url);

/** Loads a module, whose own entries then take the place of these, and rebuilds the object with it. */
function loading(module: string): Rebuild {
  return (fields, name, importer, rebuildPart) => {
    require(module);
    return rebuildObject(fields, name, importer, rebuildPart);
  };
}

registerRebuild(
  ['Lock', 'RLock', 'Semaphore', 'BoundedSemaphore', 'Condition', 'Event'],
  loading('./synchronize/reduction.js'),
);
registerRebuild(['Queue', 'JoinableQueue', 'SimpleQueue'], loading('./queues/reduction.js'));

registerFormat('pickle', {
  serializer: (options) => (require('./python/pickling.js') as typeof pickling).format.serializer(options),
});

const channel = Number(process.argv[2]);
const parent = process.argv[4] === 'python' ? 'python' : 'node';
process.argv.length = 1;
// Nothing is awaited at the top level: the function may end when nothing is left to wait for, which would be an error there.
runChild(channel, parent, (args, importer) => {
  const { rebuildPickled } = require('./python/rebuild.js') as typeof rebuild;
  return rebuildPickled(args, importer);
});
