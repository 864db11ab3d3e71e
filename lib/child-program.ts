// SPDX-License-Identifier: MIT
//
// The program that a Process runs. Its arguments: see child-main.ts. The label names the process for people. A Python parent does
// not know the file of the addon: it passes an empty string, and `python` in the place of the label.
//
// Loading the whole package takes a sixth of the start of a child. So a child first loads only the modules that every
// child needs. It loads the others when it first rebuilds an object of theirs, in the middle of a call.
import { createRequire } from 'node:module';

import './connection/rebuild.js';
import { argumentError } from './core/errors.js';
import { OWN_PATH } from './native/child-program.js';
import { runChild } from './process/bootstrap-child.js';
import { importWith, type Import } from './process/target-module.js';
import type * as pickling from './python/pickling.js';
import type * as rebuild from './python/rebuild.js';
import { registerRebuild, rebuildObject, type Rebuild } from './reduction/registry.js';
import { registerFormat } from './serialization/codec.js';

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

registerFormat('pickle', {
  serializer: (options) => (require('./python/pickling.js') as typeof pickling).format.serializer(options),
});

/**
 * @param importModule `import()` of a module that Node has loaded.
 * @returns Resolves to true when the function was called, and to false if it cannot be.
 */
export function runProgram(importModule: Import): Promise<boolean> {
  importWith(importModule);
  const channel = Number(process.argv[2]);
  if (!Number.isInteger(channel)) {
    throw argumentError(
      'type',
      'A Process starts this program with a descriptor for its task: it cannot be run by hand',
    );
  }
  const parent = process.argv[4] === 'python' ? 'python' : 'node';
  process.argv.length = 1;
  // For this program only, not for those that the user's code starts with the options of this process.
  const ownPath = process.execArgv.lastIndexOf(OWN_PATH);
  if (ownPath >= 0) process.execArgv.splice(ownPath, 1);
  // Not awaited at the top level: the event loop may run empty before the function has returned, which Node reports as an
  // error for a promise that is awaited there.
  return runChild(channel, parent, (args, importer) => {
    const { rebuildPickled } = require('./python/rebuild.js') as typeof rebuild;
    return rebuildPickled(args, importer);
  });
}
