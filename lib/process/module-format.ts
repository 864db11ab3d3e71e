// SPDX-License-Identifier: MIT
//
// How a child loads the module of its function. import() loads every module, but passes over what a program has preloaded to
// change require(), such as ts-node/register and @babel/register: they compile what require() loads. Node itself loads the
// module of a program with require() where that can be a CommonJS module, so under such preloads a child does the same.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PRELOADS_FOR_REQUIRE = /^(-r|--require)(=|$)/;
const PRELOADS_FOR_IMPORT = /^--(import|loader|experimental-loader)(=|$)/;

/** Whether options of Node have this form: those of the command line, or those of NODE_OPTIONS. */
function hasOption(form: RegExp): boolean {
  const options = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)];
  return options.some((option) => form.test(option));
}

/** The module type that the closest package.json states for a file. */
function typeOf(file: string): unknown {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const found = join(folder, 'package.json');
    if (existsSync(found)) return (JSON.parse(readFileSync(found, 'utf8')) as { type?: unknown }).type;
    if (dirname(folder) === folder) return undefined;
  }
}

/** Whether a module is loaded with require(), so that the hooks of require() see it. */
export function isForRequire(url: URL): boolean {
  if (!hasOption(PRELOADS_FOR_REQUIRE) || url.search !== '' || url.hash !== '') return false;
  const file = fileURLToPath(url);
  const extension = extname(file);
  if (['.cjs', '.cts'].includes(extension)) return true;
  if (['.mjs', '.mts', '.wasm'].includes(extension) || hasOption(PRELOADS_FOR_IMPORT)) return false;
  return typeOf(file) !== 'module';
}
