// SPDX-License-Identifier: MIT
//
// Builds the package as it is published, and installs it as a user would. The build is done in a temporary copy of the sources.
// The copy has no results of earlier builds, so the package has no stale files, and nothing in the checkout changes.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildEnvironment, filesBelow, npmScript, outputOf, root, run } from './support.mjs';

const notSources = new Set(['.git', 'build', 'coverage', 'dist', 'node_modules', 'out', 'prebuilds']);

/**
 * Calls a function with a temporary folder, and then deletes the folder.
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

/** The environment without the settings that npm passes to its scripts: with them a nested npm would work on this package. */
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
 * Builds all from the sources and packs it.
 *
 * @param {string} folder The folder for the copy of the sources and for the tarball.
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
  if (tarball === undefined) throw new Error('npm pack made no tarball');
  return { sources, tarball: path.join(folder, tarball) };
}

/** The file to which prebuildify writes the addon for this system, relative to the package. */
function prebuiltAddon() {
  const musl = process.platform === 'linux' && existsSync('/etc/alpine-release');
  const libc = process.platform === 'linux' && !musl ? 'glibc' : musl ? 'musl' : '';
  const name = ['multiprocessing', libc, 'node'].filter((part) => part !== '').join('.');
  return `prebuilds/${process.platform}-${process.arch}/${name}`;
}

/**
 * The files that the tarball must contain, and no others. The list is derived from the sources.
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
  const bundled = ['cjs', 'cli']
    .flatMap((name) => filesBelow(path.join(sources, 'dist', name)).map((file) => `dist/${name}/${file}`))
    .filter((file) => !file.endsWith('.d.ts'));
  const native = filesBelow(path.join(sources, 'native'))
    .filter((file) => /^(?!test\/).+\.(cc|h)$/.test(file))
    .map((file) => `native/${file}`);
  const interop = filesBelow(path.join(sources, 'interop'))
    .filter((file) => /\.(h|md|py)$/.test(file))
    .map((file) => `interop/${file}`);
  return [...top, ...declared, 'dist/index.js', ...bundled, ...native, ...interop, prebuiltAddon()].sort();
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
 * An environment without compilers: the given Node is the only program on the PATH.
 *
 * @param {string} folder The folder in which the one on the PATH is made.
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
 * Installs the tarball into a new folder, without a compiler and without running install scripts.
 *
 * @param {string} folder The folder, which must not exist.
 * @param {string} tarball
 * @param {string} node The Node executable that will use the package.
 */
export async function installPackage(folder, tarball, node) {
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  const environment = bareEnvironment(folder, node);
  const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  await npm(folder, ['install', ...flags, tarball], environment);
  return environment;
}

/** The executable of Python. The one on the PATH may be a script, which needs programs on the PATH. */
export function pythonExecutable() {
  return outputOf(process.env['PYTHON'] ?? 'python3', ['-c', 'import sys; print(sys.executable)']);
}

/**
 * Runs the programs in test/package/ against an installed package.
 *
 * @param {string} folder The folder in which the package is installed.
 * @param {string} node
 * @param {NodeJS.ProcessEnv} environment
 */
export async function runConsumers(folder, node, environment) {
  for (const name of ['consumer.mjs', 'consumer.cjs']) {
    cpSync(path.join(root, 'test', 'package', name), path.join(folder, name));
    await run(node, [path.join(folder, name), pythonExecutable()], { cwd: folder, env: environment });
  }
}
