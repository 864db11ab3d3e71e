// SPDX-License-Identifier: MIT
//
// Programs under different releases of Node on the two ends of a connection, and children under another release.
import { cpSync } from 'node:fs';
import path from 'node:path';
import { installPackage } from '../package.mjs';
import { root } from '../support.mjs';

/**
 * Calls a function for each pair of different releases, with the program that the first one of the pair runs. Its argument is the
 * second one.
 *
 * @param {string} folder
 * @param {import('../package.mjs').Packed} packed
 * @param {readonly import('./matrix.mjs').Node[]} nodes
 * @param {(node: import('./matrix.mjs').Node, other: import('./matrix.mjs').Node, program: string) => void} use
 */
export async function forEachPair(folder, packed, nodes, use) {
  const user = path.join(folder, 'pairs');
  await installPackage(user, packed, process.execPath);
  const program = path.join(user, 'exchange.mjs');
  cpSync(path.join(root, 'test', 'package', 'runners', 'exchange.mjs'), program);
  for (const node of nodes) {
    for (const other of nodes) if (other !== node) use(node, other, program);
  }
}
