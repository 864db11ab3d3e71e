// SPDX-License-Identifier: MIT
//
// Modules of this package that are loaded when they are first needed, in the middle of a call. They must meet the modules that are
// loaded already: others have classes of their own.
import { builtinModules, createRequire } from 'node:module';
import { join, sep } from 'node:path';

/** Where the modules of this package are. */
const FOLDER = join(import.meta.dirname, '..') + sep;

/**
 * False in a realm that is not Node's own, which is that of a runner of tests such as Jest. It loads modules by itself and may
 * forget what it has loaded (`jest.resetModules()`), so there everything is loaded at once.
 */
export const loadsLater = builtinModules instanceof Array;

const roots = new Set<NodeJS.Module>();

/** Keeps what a module has loaded, for the case that a program empties the cache of `require()`. */
export function keepModules(file: string): void {
  const module = createRequire(file).cache[file];
  if (module !== undefined) roots.add(module);
}

function keptModules(): Set<NodeJS.Module> {
  const found = new Set(roots);
  for (const module of found)
    for (const child of module.children) if (child.filename.startsWith(FOLDER)) found.add(child);
  return found;
}

/**
 * The exports of a module.
 *
 * @param from The file of the module that calls.
 * @param module The path from there.
 */
export function requireLater(from: string, module: string): unknown {
  const require = createRequire(from);
  const gone = loadsLater ? [...keptModules()].filter(({ filename }) => require.cache[filename] === undefined) : [];
  for (const kept of gone) require.cache[kept.filename] = kept;
  try {
    return require(module);
  } finally {
    for (const { filename } of gone) Reflect.deleteProperty(require.cache, filename);
  }
}
