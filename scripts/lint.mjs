// SPDX-License-Identifier: MIT
//
// Checks the sources with eslint, prettier, clang-format and check_python.py. All of them run even when one complains, so that
// one run shows everything.
//
//   node scripts/lint.mjs [--fix]
//
// With --fix the first three repair what they can.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { exitCodeOf, filesBelow, main, pythons, root } from './support.mjs';

const fix = process.argv.includes('--fix');

/**
 * @param {string} script Path below node_modules.
 * @param {readonly string[]} args
 */
function tool(script, args) {
  return exitCodeOf(process.execPath, [path.join(root, 'node_modules', script), ...args]);
}

/** @param {RegExp} pattern */
function sources(pattern) {
  return ['bench', 'examples', 'interop', 'lib', 'native', 'scripts', 'test']
    .flatMap((folder) => filesBelow(path.join(root, folder)).map((file) => path.join(folder, file)))
    .filter((file) => pattern.test(file));
}

/** Checks the Python programs with each version of Python that is installed. */
async function checkPython() {
  const interpreters = pythons();
  if (interpreters.length === 0) throw new Error('Lint needs a CPython');
  const check = ['scripts/check_python.py', ...sources(/\.py$/)];
  return Math.max(...(await Promise.all(interpreters.map((python) => exitCodeOf(python, check)))));
}

const cFiles = sources(/\.(c|cc|h)$/);
const clangFormat = fix ? ['-i'] : ['--dry-run', '-Werror', '--ferror-limit=1'];

const checks = {
  eslint: () => tool('eslint/bin/eslint.js', fix ? ['--fix', '.'] : ['.']),
  prettier: () => tool('prettier/bin/prettier.cjs', ['--log-level', 'warn', fix ? '--write' : '--check', '.']),
  'clang-format': () => tool('clang-format/index.js', [...clangFormat, ...cFiles]),
  python: checkPython,
};

await main(async () => {
  if (!existsSync(path.join(root, 'dist'))) throw new Error('Lint needs the types in dist/: run "npm run build:ts"');
  /** @type {string[]} */
  const failed = [];
  /** @type {(entry: [string, () => Promise<number>]) => Promise<void>} */
  const run = async ([name, check]) => {
    console.log(`${name} ...`);
    if ((await check()) !== 0) failed.push(name);
  };
  // Two that repair at the same time would overwrite each other's files.
  if (fix) for (const entry of Object.entries(checks)) await run(entry);
  else await Promise.all(Object.entries(checks).map(run));
  if (failed.length > 0) throw new Error(`Lint failed: ${failed.join(', ')}`);
});
