// SPDX-License-Identifier: MIT
//
// Other releases of Node, which npm installs into temporary folders.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { npm } from '../package.mjs';

/**
 * Installs a Node executable. The package for one platform contains the binary and needs no install script. The package "node"
 * would need one to choose the binary.
 *
 * @param {string} folder
 * @param {string} major
 */
export async function installNode(folder, major) {
  const platform = `${process.platform}-${process.arch}`;
  mkdirSync(folder);
  const name = platform === 'darwin-arm64' ? `node-bin-${platform}` : `node-${platform}`;
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder];
  await npm(folder, ['install', ...flags, `${name}@${major}`]);
  return path.join(folder, 'node_modules', name, 'bin', 'node');
}
