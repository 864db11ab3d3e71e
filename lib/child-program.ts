// SPDX-License-Identifier: MIT
//
// The program that a Process runs. Its arguments: see child-main.ts. The label names the process for people. A Python parent does
// not know the file of the addon: it passes an empty string, and `python` in the place of the label.
//
// Loading the whole package takes a sixth of the start of a child. So a child first loads only the modules that every
// child needs, and the others with the first object of theirs: see rebuilders.ts.
import { createRequire } from 'node:module';

import { argumentError } from './core/errors.js';
import { OWN_PATH } from './native/child-program.js';
import { runChild } from './process/bootstrap-child.js';
import { importWith, type Import } from './process/target-module.js';
import type * as rebuild from './python/rebuild.js';
import './rebuilders.js';

const require = createRequire(import.meta.filename);

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
