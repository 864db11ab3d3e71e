// SPDX-License-Identifier: MIT
//
// Checks the sources with eslint, prettier and clang-format; with --fix it repairs what they can repair. All of them run
// even when one complains, so that one run shows everything.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { exitCodeOf, filesBelow, main, root } from './support.mjs';

const fix = process.argv.includes('--fix');

/**
 * @param {string} script Path below node_modules.
 * @param {readonly string[]} args
 */
function tool(script, args) {
  return exitCodeOf(process.execPath, [path.join(root, 'node_modules', script), ...args]);
}

const cFiles = ['native', 'interop', 'test', 'bench', 'examples']
  .flatMap((folder) => filesBelow(path.join(root, folder)).map((file) => path.join(folder, file)))
  .filter((file) => /\.(c|cc|h)$/.test(file));

const checks = {
  eslint: () => tool('eslint/bin/eslint.js', fix ? ['--fix', '.'] : ['.']),
  prettier: () => tool('prettier/bin/prettier.cjs', ['--log-level', 'warn', fix ? '--write' : '--check', '.']),
  'clang-format': () =>
    tool('clang-format/index.js', [...(fix ? ['-i'] : ['--dry-run', '-Werror', '--ferror-limit=1']), ...cFiles]),
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
  // Those that repair would overwrite each other's files.
  if (fix) for (const entry of Object.entries(checks)) await run(entry);
  else await Promise.all(Object.entries(checks).map(run));
  if (failed.length > 0) throw new Error(`Lint failed: ${failed.join(', ')}`);
});
