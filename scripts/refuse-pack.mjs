// SPDX-License-Identifier: MIT
//
// npm runs this before it packs the checkout by itself, as such a package would have no addon; and before the script "pack", too.
if (!process.env['npm_command']?.startsWith('run')) {
  console.error(
    'npm pack and npm publish do not work here: "npm run pack -- <folder>" packs the package and its addons',
  );
  process.exitCode = 1;
}
