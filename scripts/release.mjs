// SPDX-License-Identifier: MIT
//
// Prepares a release: refuses a tree with changes, a version without its section in CHANGELOG.md, and a red check; then packs.
// What is published are the tarballs that were checked, the addons first, since the package names them.
//
//   node scripts/release.mjs <folder> [<target>=<file.node> ...] [--publish]
//
// Without --publish it prints the commands. npm attests where the tarballs were built if it runs in a workflow that allows that.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { npm } from './package.mjs';
import { main, outputOf, root, run } from './support.mjs';

const publishes = process.argv.includes('--publish');
const [destination, ...addons] = process.argv.slice(2).filter((argument) => argument !== '--publish');

/** @returns {string} The version in package.json. */
function version() {
  /** @type {unknown} */
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  return /** @type {{ version: string }} */ (manifest).version;
}

function refuseChanges() {
  const changes = outputOf('git', ['status', '--porcelain']);
  if (changes !== '') throw new Error(`Commit or remove these changes first:\n${changes}`);
}

/** @param {string} released */
function refuseUndescribed(released) {
  const text = readFileSync(path.join(root, 'CHANGELOG.md'), 'utf8');
  const dated = new RegExp(`^## \\[${released.replaceAll('.', '\\.')}\\] - \\d{4}-\\d{2}-\\d{2}$`, 'm');
  if (!dated.test(text)) throw new Error(`CHANGELOG.md has no section "## [${released}] - <date>"`);
}

await main(async () => {
  if (destination === undefined) throw new Error('Name the folder for the tarballs: npm run release -- <folder>');
  const released = version();
  refuseChanges();
  refuseUndescribed(released);
  await run(path.join(root, '.ci', 'run'), []);
  const folder = path.resolve(destination);
  mkdirSync(folder, { recursive: true });
  if (readdirSync(folder).length > 0) throw new Error(`${folder} is not empty`);
  await run(process.execPath, [path.join(root, 'scripts', 'pack.mjs'), folder, ...addons]);
  const isMain = (/** @type {string} */ name) => name === `node-multiprocessing-${released}.tgz`;
  const tarballs = readdirSync(folder).sort((a, b) => Number(isMain(a)) - Number(isMain(b)));
  for (const tarball of tarballs) {
    const args = ['publish', path.join(folder, tarball), '--access=public', '--provenance'];
    if (publishes) await npm(folder, args);
    else console.log(`npm ${args.join(' ')}`);
  }
});
