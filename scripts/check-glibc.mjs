// SPDX-License-Identifier: MIT
//
// Fails when the addon needs a newer glibc than Node's own binaries do, which run with 2.28, when it needs a C++ library, when it
// would get another function than the tests of the C++ code, or when it exports more than its entry.
//
//   node scripts/check-glibc.mjs [file.node ...]
//
// The addon is linked without libc, so objdump shows no versions for its symbols. This script looks up each undefined
// symbol in the libraries of this system, and finds the oldest version of the library that has it. It is the one that the
// addon gets: a name without a version means the oldest one.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { main, outputOf, root } from './support.mjs';

/** The newest version that is allowed in each family of symbols. */
const limits = {
  GLIBC: '2.28',
};

/** Symbols of the Node executable itself, which are stable: Node-API and libuv's C API. */
const ofNode = /^(napi|node_api|uv)_/;

/** Functions whose oldest version differs from the newest, and does what the addon needs: it copies overlapping memory, too. */
const worksInEachVersion = new Set(['memcpy']);

/** What Node calls to load an addon, and what the addons of other copies of the package call. */
const ENTRY = /^(napi_register_module_v\d+|node_api_module_get_api_version_v\d+|node_multiprocessing_role)$/;

/**
 * @param {string} a
 * @param {string} b
 */
function compareVersions(a, b) {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** @param {string} version For example GLIBC_2.28. */
function isAllowed(version) {
  const [, family = '', number = ''] = /^([A-Z]+)_([\d.]+)$/.exec(version) ?? [];
  return Object.entries(limits).some(([name, limit]) => name === family && compareVersions(number, limit) <= 0);
}

/**
 * @typedef {object} DynamicSymbol
 * @property {string} name
 * @property {string} address
 * @property {string} version Empty if the symbol has none.
 * @property {boolean} defined
 * @property {boolean} weak
 */

/**
 * The dynamic symbols of a file.
 *
 * @param {string} file
 * @returns {DynamicSymbol[]}
 */
function symbolsOf(file) {
  // A line has an address, seven columns of flags, a section, a size, a version and a name. A version that is not the default
  // one is in brackets.
  const line =
    /^([0-9a-f]+) (.{7}) (\S+)\s+[0-9a-f]+\s+(?:\(?([A-Za-z]\w*_[\w.]+)\)?\s+)?(?:0x[0-9a-f]+ |\.\w+ )?(\S+)$/;
  return outputOf('objdump', ['-T', file])
    .split('\n')
    .flatMap((text) => {
      const match = line.exec(text);
      if (match === null) return [];
      const [, address = '', flags = '', section = '', version = '', name = ''] = match;
      return [{ name, address, version, defined: section !== '*UND*', weak: flags.includes('w') }];
    });
}

/**
 * The libraries that a Node process has loaded before it loads an addon.
 *
 * @returns {string[]}
 */
function librariesOfNode() {
  return [...outputOf('ldd', [process.execPath]).matchAll(/(\/\S+) \(0x/g)].map(([, file = '']) => file);
}

/**
 * Maps each symbol of these libraries to the oldest version that has it.
 *
 * @param {readonly string[]} libraries
 */
function oldestVersions(libraries) {
  /** @type {Map<string, string>} */
  const oldest = new Map();
  for (const { name, version, defined } of libraries.flatMap(symbolsOf)) {
    // The symbols of GLIBC_PRIVATE are for glibc itself. A symbol with the name of a version stands for that version.
    if (!defined || !/_[\d.]+$/.test(version) || name === version) continue;
    const known = oldest.get(name);
    if (known === undefined || compareVersions(version, known) < 0) oldest.set(name, version);
  }
  return oldest;
}

/**
 * The symbols that are other functions in their oldest version than in the newest one.
 *
 * @param {readonly string[]} libraries
 */
function changedSymbols(libraries) {
  const oldest = oldestVersions(libraries);
  const all = libraries.flatMap(symbolsOf).filter(({ defined }) => defined);
  const addresses = new Map(all.map(({ name, version, address }) => [`${name}@${version}`, address]));
  return new Set(
    all
      .filter(({ name, address }) => (addresses.get(`${name}@${oldest.get(name)}`) ?? address) !== address)
      .map(({ name }) => name),
  );
}

/**
 * The problems of an addon. There are none if it loads on every system on which Node runs.
 *
 * @param {string} file
 * @returns {string[]}
 */
export function requirementProblems(file) {
  const libraries = librariesOfNode();
  const oldest = oldestVersions(libraries);
  const changed = changedSymbols(libraries);
  const symbols = symbolsOf(file);
  const needed = symbols.filter(({ defined }) => !defined);
  if (needed.length === 0) throw new Error(`objdump shows no undefined symbols in ${file}`);
  const problems = symbols
    // The linker of arm64 lists sections, too, which nothing can call.
    .filter(({ defined, name }) => defined && !name.startsWith('.') && !ENTRY.test(name))
    .map(({ name }) => `exports ${name}`);
  for (const [, library = ''] of outputOf('objdump', ['-p', file]).matchAll(/^\s*NEEDED\s+(\S+)/gm)) {
    problems.push(`is linked with ${library}`);
  }
  for (const { name, version, weak } of needed) {
    const atLeast = version || oldest.get(name);
    if (atLeast !== undefined) {
      if (!isAllowed(atLeast)) problems.push(`needs ${name}, which is there since ${atLeast}`);
    } else if (!weak && !ofNode.test(name)) {
      problems.push(`needs ${name}, which no library of Node's has`);
    }
    if (version === '' && changed.has(name) && !worksInEachVersion.has(name))
      problems.push(`gets ${name} of ${atLeast}, which is not the function that programs get today`);
  }
  return problems;
}

const built = path.join(root, 'build', 'Release', 'multiprocessing.node');

if (process.argv[1] === import.meta.filename) {
  await main(() => {
    if (process.platform !== 'linux') throw new Error('This check is for Linux');
    const files = process.argv.length > 2 ? process.argv.slice(2) : [built];
    if (!files.every((file) => existsSync(file)))
      throw new Error('There is no addon to check: run "npm run build:native"');
    for (const file of files) {
      const problems = requirementProblems(file);
      for (const problem of problems) console.error(`${path.relative(root, file)} ${problem}`);
      if (problems.length > 0) process.exitCode = 1;
      else console.log(`${path.relative(root, file)} needs at most glibc ${limits.GLIBC}`);
    }
  });
}
