// SPDX-License-Identifier: MIT
//
// The module of a function that a child runs, as the child loads it.
import { createRequire } from 'node:module';
import { isAbsolute } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { isForRequire } from './module-format.js';

/** As `import()`, by a URL. */
export type Import = (url: string) => Promise<unknown>;

let importModule: Import = (url) => import(url);

/** Sets what imports ES modules. Where a child has this file from the cache of compiled code, its own `import()` does not work. */
export function importWith(given: Import): void {
  importModule = given;
}

/** What to write in the place of a target that is no export. */
function adviceFor(main: unknown, name: string): string {
  if (typeof main === 'function' && main.name === name) return "Pass target: 'default'";
  // A function that is written in the place of the option gets the name of the option.
  return name === 'target'
    ? 'A function that is written in place cannot be found by a child: export it, and pass it or its name'
    : 'Write `export` before the function, or pass the name of its export as a string';
}

/**
 * Loads a module as Node loads the module of a program.
 *
 * @param location A `file:` URL or an absolute path.
 */
export async function loadModule(location: string): Promise<Record<string, unknown>> {
  const url = isAbsolute(location) ? pathToFileURL(location) : new URL(location);
  if (isForRequire(url)) {
    try {
      // Without inherited names, as the namespace that import() returns.
      return { __proto__: null, default: createRequire(url)(fileURLToPath(url)) as unknown };
    } catch (error) {
      // An ES module without a mark that says so. It has not been evaluated.
      const { code } = Object(error) as { code?: unknown };
      if (code !== 'ERR_REQUIRE_ESM' && code !== 'ERR_REQUIRE_ASYNC_MODULE') throw error;
    }
  }
  return (await importModule(url.href)) as Record<string, unknown>;
}

/** An export of a module, by its name. */
export function exportOf(module: Record<string, unknown>, name: string): unknown {
  const commonJs = commonJsExports(module);
  return name in module ? module[name] : Object.hasOwn(commonJs, name) ? commonJs[name] : undefined;
}

/** require() returns the exports of a CommonJS module directly, import() puts them below `default`. */
function commonJsExports({ default: main }: Record<string, unknown>): Record<string, unknown> {
  return Object(main) === main ? (main as Record<string, unknown>) : {};
}

/** Finds an exported function. If there is none, the error lists the exports of the module. */
export function findTarget(
  module: Record<string, unknown>,
  url: string,
  name: string,
): (...args: unknown[]) => unknown {
  const found = exportOf(module, name);
  if (typeof found === 'function') return found as (...args: unknown[]) => unknown;
  const names = [...new Set([...Object.keys(module), ...Object.keys(commonJsExports(module))])].join(', ') || 'none';
  if (found === undefined) {
    throw new TypeError(`${url} has no export "${name}"; it exports: ${names}. ${adviceFor(module['default'], name)}`);
  }
  throw new TypeError(`The export "${name}" of ${url} is not a function; it exports: ${names}`);
}
