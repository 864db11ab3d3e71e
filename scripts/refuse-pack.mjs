// SPDX-License-Identifier: MIT
//
// npm runs this before it packs the checkout by itself. Such a package would have no addon.
console.error('npm pack and npm publish do not work here: "npm run pack -- <folder>" packs the package and its addons');
process.exitCode = 1;
