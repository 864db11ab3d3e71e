// SPDX-License-Identifier: MIT
//
// The part of native/ that can be linked into programs without Node, and how such programs are compiled.
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { filesBelow, root, run } from './support.mjs';

/** The last words in the names of sources for other systems. */
const otherPlatforms = process.platform === 'darwin' ? ['linux', 'epoll'] : ['darwin', 'kqueue'];

/**
 * Whether a file includes headers of Node or libuv, directly or through our own headers.
 *
 * @param {string} file
 * @param {Set<string>} seen
 * @returns {boolean}
 */
function needsNode(file, seen = new Set()) {
  if (seen.has(file)) return false;
  seen.add(file);
  for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(/^\s*#\s*include\s+["<]([^">]+)[">]/gm)) {
    if (/^(napi|node_api|js_native_api|uv)\.h$/.test(name)) return true;
    const ours = [path.dirname(file), path.join(root, 'native')]
      .map((folder) => path.join(folder, name))
      .find(existsSync);
    if (ours !== undefined && needsNode(ours, seen)) return true;
  }
  return false;
}

/**
 * The files of native/ that need no Node, for this platform.
 *
 * @returns {string[]}
 */
export function librarySources() {
  return filesBelow(path.join(root, 'native'))
    .filter((file) => file.endsWith('.cc') && !file.startsWith('test/'))
    .filter((file) => !otherPlatforms.includes(file.replace('.cc', '').split('_').at(-1) ?? ''))
    .map((file) => path.join(root, 'native', file))
    .filter((file) => !needsNode(file));
}

/**
 * Runs compilations, as many at a time as there are processors.
 *
 * @param {readonly { command: string, args: string[] }[]} compilations
 */
export async function compileAll(compilations) {
  const queue = [...compilations];
  const workers = Array.from({ length: availableParallelism() }, async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await run(next.command, next.args);
  });
  await Promise.all(workers);
}
