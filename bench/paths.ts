// SPDX-License-Identifier: MIT
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

// The benchmark runs compiled, from out/bench, while the C and Python peers stay in bench/peers.
const packageRoot = path.dirname(createRequire(import.meta.url).resolve('node-multiprocessing/package.json'));
const compiled = path.dirname(fileURLToPath(import.meta.url));

export const resultsFolder = path.join(packageRoot, 'bench', 'results');

/** A peer in another language, by its file name in bench/peers. */
export function peerSource(name: string): string {
  return path.join(packageRoot, 'bench', 'peers', name);
}

/** A compiled module of the benchmark, by its path below bench without extension. */
export function compiledModule(name: string): string {
  return path.join(compiled, `${name}.js`);
}
