// SPDX-License-Identifier: MIT
//
// Builds the packages as they are published, and installs them as a user would. The build is done in a temporary copy of the
// sources. The copy has no results of earlier builds, so the package has no stale files, and nothing in the checkout changes.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildEnvironment, filesBelow, npmScript, outputOf, root, run } from './support.mjs';

const notSources = new Set(['.git', 'build', 'coverage', 'dist', 'node_modules', 'out']);

/** Where node-gyp writes the addon. */
export const builtAddon = 'build/Release/multiprocessing.node';

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

/** What of package.json a user needs. */
const PUBLISHED = [
  'name',
  'version',
  'description',
  'keywords',
  'license',
  'type',
  'exports',
  'types',
  'bin',
  'engines',
];

/**
 * The files and folders of the package, besides package.json. Source maps lead to lib/, which is not in it. Nor is what only
 * contributors read.
 */
const PARTS = ['dist', 'interop', 'docs', 'LICENSE', 'README.md', 'SECURITY.md'];

/** What only contributors need, and what is run in a checkout. Pages of the package name it without links. */
const FOR_CONTRIBUTORS = ['docs/internals.md', 'docs/layers.svg', 'bench/', 'examples/'];

/** @param {string} file Relative to the checkout. */
function isForContributors(file) {
  return FOR_CONTRIBUTORS.some((name) => file === name || `${file}/`.startsWith(name));
}

/**
 * What is in a package.json.
 *
 * @typedef {{ version: string, license: string, engines: object } & Record<string, unknown>} Manifest
 */

/** @param {string} folder */
function readManifest(folder) {
  const text = readFileSync(path.join(folder, 'package.json'), 'utf8');
  /** @type {unknown} */
  const manifest = JSON.parse(text);
  return /** @type {Manifest} */ (manifest);
}

/**
 * @param {string} folder
 * @param {object} manifest
 */
function writeManifest(folder, manifest) {
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/**
 * Packs a folder.
 *
 * @param {string} folder
 * @param {string} destination The folder for the tarball.
 * @returns {Promise<string>} The tarball.
 */
async function pack(folder, destination) {
  const before = new Set(readdirSync(destination));
  await npm(folder, ['pack', '--ignore-scripts', '--loglevel=error', `--pack-destination=${destination}`]);
  const tarball = readdirSync(destination).find((name) => !before.has(name) && name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack made no tarball');
  return path.join(destination, tarball);
}

/**
 * Makes the folder of the package. Its package.json has no scripts, and names the packages of addons with the same version.
 *
 * @param {string} sources A checkout that is built.
 * @param {string} stage
 * @param {readonly string[]} targets The kinds of systems for which there are addons.
 */
function stageMain(sources, stage, targets) {
  for (const part of PARTS) {
    const isWanted = (/** @type {string} */ file) =>
      !file.endsWith('.map') && !/__pycache__|\.test\./.test(file) && !isForContributors(path.relative(sources, file));
    cpSync(path.join(sources, part), path.join(stage, part), { recursive: true, filter: isWanted });
  }
  for (const file of filesBelow(path.join(stage, 'dist'))) {
    const whole = path.join(stage, 'dist', file);
    const { mode } = statSync(whole);
    const text = readFileSync(whole, 'utf8').replace(/^\/\/# sourceMappingURL=.*\n?/m, '');
    // One space for four and no empty lines, in what users read by their editors.
    const narrow = file.endsWith('.d.cts')
      ? text.replace(/^(?: {4})+/gm, ({ length }) => ' '.repeat(length / 4)).replace(/\n+/g, '\n')
      : text;
    writeFileSync(whole, narrow, { mode });
  }
  for (const page of filesBelow(stage).filter((file) => file.endsWith('.md'))) {
    const text = readFileSync(path.join(stage, page), 'utf8');
    const unlinked = text.replaceAll(
      /\[([^\]]*)\]\(([^)\s#]+)[^)\s]*\)/g,
      (whole, /** @type {string} */ name, /** @type {string} */ link) =>
        isForContributors(path.join(path.dirname(page), link)) ? name : whole,
    );
    if (unlinked !== text) writeFileSync(path.join(stage, page), unlinked);
  }
  const manifest = readManifest(sources);
  const kept = Object.fromEntries(PUBLISHED.map((key) => [key, manifest[key]]));
  const optionalDependencies = Object.fromEntries(targets.map((target) => [addonPackage(target), manifest.version]));
  writeManifest(stage, { ...kept, sideEffects: false, optionalDependencies });
}

/** @param {string} target */
export function addonPackage(target) {
  return `@node-multiprocessing/${target}`;
}

/**
 * Makes the folder of the package with an addon. The fields os, cpu and libc let a package manager install it where it fits.
 *
 * @param {string} sources
 * @param {string} stage
 * @param {string} target
 * @param {string} addon The file.
 */
function stageAddon(sources, stage, target, addon) {
  const [os = '', cpu = '', libc] = target.split('-');
  const { version, license, engines } = readManifest(sources);
  mkdirSync(stage, { recursive: true });
  cpSync(addon, path.join(stage, 'multiprocessing.node'));
  // The toolchain of another kind of system has removed the symbols of its addon itself.
  if (os === process.platform && cpu === process.arch)
    outputOf('strip', ['-x', path.join(stage, 'multiprocessing.node')]);
  cpSync(path.join(sources, 'LICENSE'), path.join(stage, 'LICENSE'));
  const readme = `# ${addonPackage(target)}\n\nThe compiled addon of node-multiprocessing for ${target}.\n`;
  writeFileSync(path.join(stage, 'README.md'), readme);
  const fields = libc === undefined ? {} : { libc: [libc === 'gnu' ? 'glibc' : libc] };
  const description = `The compiled addon of node-multiprocessing for ${target}`;
  const name = addonPackage(target);
  writeManifest(stage, {
    name,
    version,
    description,
    license,
    main: 'multiprocessing.node',
    os: [os],
    cpu: [cpu],
    ...fields,
    engines,
  });
}

/**
 * The tarballs of one release.
 *
 * @typedef {object} Packed
 * @property {string} main
 * @property {Record<string, string>} addons By kind of system.
 */

/**
 * Packs a checkout that is built.
 *
 * @param {string} sources
 * @param {Record<string, string>} addons The file of the addon for each kind of system.
 * @param {string} destination The folder for the tarballs.
 * @returns {Promise<Packed>}
 */
export async function packAll(sources, addons, destination) {
  /** @type {Record<string, string>} */
  const packed = {};
  let main = '';
  await withTemporaryFolder(async (stages) => {
    const stage = path.join(stages, 'main');
    stageMain(sources, stage, Object.keys(addons));
    main = await pack(stage, destination);
    for (const [target, addon] of Object.entries(addons)) {
      const folder = path.join(stages, target);
      stageAddon(sources, folder, target, addon);
      packed[target] = await pack(folder, destination);
    }
  });
  return { main, addons: packed };
}

/**
 * The kind of this system, as the built package names it.
 *
 * @param {string} sources
 * @returns {Promise<string>}
 */
export async function targetOfThisSystem(sources) {
  const module = pathToFileURL(path.join(sources, 'out', 'lib', 'native', 'prebuilt.js')).href;
  /** @type {unknown} */
  const prebuilt = await import(module);
  return /** @type {{ thisTarget(): string }} */ (prebuilt).thisTarget();
}

/**
 * Builds all from the sources and packs it.
 *
 * @param {string} folder The folder for the copy of the sources and for the tarballs.
 * @returns {Promise<{ sources: string, target: string, packed: Packed }>}
 */
export async function buildPackage(folder) {
  const sources = path.join(folder, 'sources');
  mkdirSync(sources);
  for (const name of readdirSync(root)) {
    if (!notSources.has(name)) cpSync(path.join(root, name), path.join(sources, name), { recursive: true });
  }
  symlinkSync(path.join(root, 'node_modules'), path.join(sources, 'node_modules'));
  await npm(sources, ['run', 'build:all']);
  const target = await targetOfThisSystem(sources);
  const packed = await packAll(sources, { [target]: path.join(sources, builtAddon) }, folder);
  return { sources, target, packed };
}

/**
 * The files that the tarball must contain, and no others. The list is derived from the sources.
 *
 * @param {string} sources
 * @returns {string[]}
 */
export function expectedFiles(sources) {
  const top = ['LICENSE', 'README.md', 'SECURITY.md', 'package.json'];
  const faces = ['index', 'managers', 'redis'].flatMap((name) =>
    ['.js', '.cjs', '.d.ts', '.d.cts', '-bundled.js', '-webpack.js'].map((end) => `dist/${name}${end}`),
  );
  // The files that build.mjs lists.
  const bundled = ['cjs', 'cli']
    .flatMap((name) => filesBelow(path.join(sources, 'dist', name)).map((file) => `dist/${name}/${file}`))
    .filter((file) => !file.endsWith('.map'));
  const interop = filesBelow(path.join(sources, 'interop'))
    .filter((file) => /\.(h|md|py)$/.test(file))
    .map((file) => `interop/${file}`);
  const shown = filesBelow(path.join(sources, 'docs'))
    .map((file) => `docs/${file}`)
    .filter((file) => /\.(c|md|mjs|py|svg)$/.test(file) && !isForContributors(file));
  return [...top, ...faces, ...bundled, ...interop, ...shown].sort();
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
 * Installs tarballs into a new folder, without a compiler and without running install scripts.
 *
 * @param {string} folder The folder, which must not exist.
 * @param {Packed} packed
 * @param {string} node The Node executable that will use the package.
 */
export async function installPackage(folder, { main, addons }, node) {
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  const environment = bareEnvironment(folder, node);
  const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  await npm(folder, ['install', ...flags, main, ...Object.values(addons)], environment);
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
