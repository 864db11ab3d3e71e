// SPDX-License-Identifier: MIT
//
// How a child loads the module of its function. import() loads every module, but it takes a sixth of the start of a child,
// and passes over what a program has preloaded to change require(), such as ts-node/register and @babel/register: they
// compile what require() loads. Node itself loads the module of a program with require() where that can be a CommonJS
// module. A child does the same, unless something may change what import() loads.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PRELOADS_FOR_REQUIRE = /^(-r|--require)(=|$)/;
const PRELOADS_FOR_IMPORT = /^--(import|loader|experimental-loader|experimental-default-type)(=|$)/;

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

/** Words of an ES module. They may be in a comment, too: then import() decides. */
const WORDS_OF_ES_MODULE = /\b(import|export)\b/;

/** Whether a file certainly is no ES module, unless it awaits at the top level. */
function isCommonJs(file: string, extension: string): boolean {
  if (!existsSync(file) || !['.cjs', '.js'].includes(extension)) return false;
  if (extension === '.cjs') return true;
  const type = typeOf(file);
  return type === undefined ? !WORDS_OF_ES_MODULE.test(readFileSync(file, 'utf8')) : type === 'commonjs';
}

/** Whether a module is loaded with require(), so that the hooks of require() see it. */
export function isForRequire(url: URL): boolean {
  if (url.search !== '' || url.hash !== '') return false;
  const file = fileURLToPath(url);
  const extension = extname(file);
  if (!hasOption(PRELOADS_FOR_REQUIRE)) return !hasOption(PRELOADS_FOR_IMPORT) && isCommonJs(file, extension);
  if (['.cjs', '.cts'].includes(extension)) return true;
  if (['.mjs', '.mts', '.wasm'].includes(extension) || hasOption(PRELOADS_FOR_IMPORT)) return false;
  return typeOf(file) !== 'module';
}
