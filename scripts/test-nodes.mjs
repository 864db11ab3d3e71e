// SPDX-License-Identifier: MIT
//
// Runs the packed package with other releases of Node, which npm installs into a temporary folder.
//
//   node scripts/test-nodes.mjs [--suite] [major ...]
//
// With --suite the test suite runs with each of them, too. It uses the addon that was built with the present release, since one
// binary must work with all.
import path from 'node:path';
import { buildPackage, installPackage, runConsumers, withTemporaryFolder } from './package.mjs';
import { installNode } from './package/nodes.mjs';
import { exitCodeOf, main, npmScript, outputOf, root, run } from './support.mjs';

const runSuite = process.argv.includes('--suite');
const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const majors = named.length > 0 ? named : ['22', '24', '26'];

/** @param {string} node */
async function suiteFails(node) {
  const mocha = path.join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
  return (await exitCodeOf(node, [mocha, 'out/test/**/*.test.js', '--ignore=out/test/stress/**'])) !== 0;
}

await main(() =>
  withTemporaryFolder(async (folder) => {
    const { packed } = await buildPackage(folder);
    if (runSuite) await run(process.execPath, [npmScript(), 'run', 'build:tests']);
    const failed = [];
    for (const major of majors) {
      const user = path.join(folder, `node-${major}`);
      const node = await installNode(path.join(folder, `runtime-${major}`), major);
      console.log(`\nNode ${outputOf(node, ['--version'])}`);
      const environment = await installPackage(user, packed, node);
      await runConsumers(user, node, environment);
      if (runSuite && (await suiteFails(node))) failed.push(major);
    }
    if (failed.length > 0) throw new Error(`The test suite failed with Node ${failed.join(', ')}`);
  }),
);
