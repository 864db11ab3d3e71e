// SPDX-License-Identifier: MIT
//
// Packs the package and the packages of its addons, as they are published. The addon for this system is built first.
//
//   node scripts/pack.mjs <folder> [<target>=<file.node> ...]     for example linux-arm64-gnu=arm64.node
import { cpSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { buildPackage, packAll, withTemporaryFolder, builtAddon } from './package.mjs';
import { main, root } from './support.mjs';

const [destination, ...given] = process.argv.slice(2);

await main(async () => {
  if (destination === undefined) throw new Error('Name the folder for the tarballs: npm run pack -- <folder>');
  mkdirSync(destination, { recursive: true });
  const others = Object.fromEntries(
    given.map((text) => {
      const [target, file] = text.split('=');
      if (target === undefined || file === undefined) throw new Error(`"${text}" is not <target>=<file.node>`);
      return [target, path.resolve(root, file)];
    }),
  );
  await withTemporaryFolder(async (folder) => {
    const { sources, target, packed } = await buildPackage(folder);
    const all =
      given.length === 0
        ? packed
        : await packAll(sources, { [target]: path.join(sources, builtAddon), ...others }, path.resolve(destination));
    for (const tarball of [all.main, ...Object.values(all.addons)]) {
      const file = path.join(path.resolve(destination), path.basename(tarball));
      if (file !== tarball) cpSync(tarball, file);
      console.log(file);
    }
  });
});
