// SPDX-License-Identifier: MIT
//
// The long tests. With --chaos, the chaos harness alone, with its own options (--help lists them):
//
//   node scripts/stress.mjs [arguments for mocha]
//   node scripts/stress.mjs --chaos [options of the harness]
import path from 'node:path';
import { exitCodeOf, main, root } from './support.mjs';

const given = process.argv.slice(2);
const chaos = given.includes('--chaos');
const args = given.filter((argument) => argument !== '--chaos');

await main(async () => {
  const mocha = path.join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
  const program = chaos
    ? [path.join(root, 'out', 'test', 'stress', 'chaos', 'main.js'), ...args]
    : [mocha, 'out/test/stress/**/*.test.js', '--timeout', '0', ...args];
  process.exitCode = await exitCodeOf(process.execPath, program);
});
