// SPDX-License-Identifier: MIT
//
// Builds the package as it is published, in a temporary copy of the sources, and installs it elsewhere as a user would. The
// copy starts without build results, so nothing stale gets in, and the checkout is left as it is.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildEnvironment, filesBelow, npmScript, outputOf, root, run } from './support.mjs';

const notSources = new Set(['.git', 'build', 'coverage', 'dist', 'node_modules', 'out', 'prebuilds']);

/**
 * Gives a temporary folder to a function and deletes it afterwards.
 *
 * @param {(folder: string) => Promise<void>} body
 */
export async function withTemporaryFolder(body) {
  const folder = mkdtempSync(path.join(tmpdir(), 'node-multiprocessing-'));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Settings that npm passes to the scripts it runs would make a nested npm think that it works on this package. */
function environmentForNpm() {
  return Object.fromEntries(
    Object.entries(buildEnvironment()).filter(
      ([name]) => !/^npm_(package_|lifecycle_|config_local_prefix$)/.test(name),
    ),
  );
}

/**
 * @param {string} cwd
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [environment]
 */
export function npm(cwd, args, environment = {}) {
  return run(process.execPath, [npmScript(), ...args], { cwd, env: { ...environmentForNpm(), ...environment } });
}

/**
 * Builds everything from the sources and packs it.
 *
 * @param {string} folder A folder for the copy and the result.
 * @returns {Promise<{ sources: string, tarball: string }>}
 */
export async function buildPackage(folder) {
  const sources = path.join(folder, 'sources');
  mkdirSync(sources);
  for (const name of readdirSync(root)) {
    if (!notSources.has(name)) cpSync(path.join(root, name), path.join(sources, name), { recursive: true });
  }
  symlinkSync(path.join(root, 'node_modules'), path.join(sources, 'node_modules'));
  await npm(sources, ['run', 'build:ts']);
  await npm(sources, ['run', 'prebuild']);
  await npm(sources, ['pack', '--ignore-scripts', '--loglevel=error', `--pack-destination=${folder}`]);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack has made no tarball');
  return { sources, tarball: path.join(folder, tarball) };
}

/** Where prebuildify puts the addon for this system, relative to the package. */
function prebuiltAddon() {
  const musl = process.platform === 'linux' && existsSync('/etc/alpine-release');
  const libc = process.platform === 'linux' && !musl ? 'glibc' : musl ? 'musl' : '';
  const name = ['multiprocessing', libc, 'node'].filter((part) => part !== '').join('.');
  return `prebuilds/${process.platform}-${process.arch}/${name}`;
}

/**
 * What the tarball must contain, derived from the sources: no file more and none less.
 *
 * @param {string} sources
 * @returns {string[]}
 */
export function expectedFiles(sources) {
  const top = ['CHANGELOG.md', 'LICENSE', 'README.md', 'binding.gyp', 'package.json'];
  const declared = filesBelow(path.join(sources, 'lib'))
    .filter((file) => /(?<!\.d)\.ts$/.test(file))
    .map((file) => `dist/${file.replace(/\.ts$/, '.d.ts')}`);
  // The files that build.mjs lists, and their source maps.
  const parts = filesBelow(path.join(sources, 'dist', 'cjs')).map((file) => `dist/cjs/${file}`);
  const bundled = ['dist/cli/main.js', 'dist/cli/main.js.map', 'dist/index.js', ...parts];
  const native = filesBelow(path.join(sources, 'native'))
    .filter((file) => /^(?!test\/).+\.(cc|h)$/.test(file))
    .map((file) => `native/${file}`);
  const interop = filesBelow(path.join(sources, 'interop'))
    .filter((file) => /\.(h|md|py)$/.test(file))
    .map((file) => `interop/${file}`);
  return [...top, ...declared, ...bundled, ...native, ...interop, prebuiltAddon()].sort();
}

/**
 * @param {string} tarball
 * @returns {string[]} The files in it, relative to the package.
 */
export function filesInTarball(tarball) {
  return outputOf('tar', ['-tzf', tarball])
    .split('\n')
    .map((line) => line.replace(/^package\//, ''))
    .sort();
}

/**
 * An environment without compilers: the only program on the PATH is the given Node.
 *
 * @param {string} folder Where the folder for the PATH is made.
 * @param {string} node
 * @returns {NodeJS.ProcessEnv}
 */
export function bareEnvironment(folder, node) {
  const bin = path.join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  symlinkSync(node, path.join(bin, 'node'));
  return { PATH: bin };
}

/**
 * Installs the tarball into a new folder as npm does when it may not run install scripts, without a compiler.
 *
 * @param {string} folder Created.
 * @param {string} tarball
 * @param {string} node The Node executable that is to use it.
 */
export async function installPackage(folder, tarball, node) {
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  const environment = bareEnvironment(folder, node);
  const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  await npm(folder, ['install', ...flags, tarball], environment);
  return environment;
}

/** Python's executable itself: what is on the PATH may be a script that needs a PATH. */
export function pythonExecutable() {
  return outputOf(process.env['PYTHON'] ?? 'python3', ['-c', 'import sys; print(sys.executable)']);
}

/**
 * Runs the programs in test/package/ against an installed package.
 *
 * @param {string} folder Where the package is installed.
 * @param {string} node
 * @param {NodeJS.ProcessEnv} environment
 */
export async function runConsumers(folder, node, environment) {
  for (const name of ['consumer.mjs', 'consumer.cjs']) {
    cpSync(path.join(root, 'test', 'package', name), path.join(folder, name));
    await run(node, [path.join(folder, name), pythonExecutable()], { cwd: folder, env: environment });
  }
}
