// SPDX-License-Identifier: MIT
//
// Packs the package and the packages of its addons, as they are published. The addon for this system is built first, and those for
// other systems as far as there are compilers for them (scripts/package/cross.mjs).
//
//   node scripts/pack.mjs <folder> [<target>=<file.node> ...]     for example darwin-arm64=arm64.node
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { crossAddons } from './package/cross.mjs';
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
    const { sources, target } = await buildPackage(folder);
    const addons = { [target]: path.join(sources, builtAddon), ...(await crossAddons(folder)), ...others };
    const all = await packAll(sources, addons, path.resolve(destination));
    for (const tarball of [all.main, ...Object.values(all.addons)]) console.log(tarball);
  });
});
