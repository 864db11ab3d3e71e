// SPDX-License-Identifier: MIT
//
// Packs the package and uses it as a user would. It is installed from the tarball, without install scripts and without a
// compiler. An ES module and a CommonJS module then exchange messages with Python, and bundlers bundle a program.
//
//   node scripts/smoke.mjs [--bundlers] [--all[=<part of a name>]] [--arm64]
//
// With --bundlers there are more of them, which npm installs into a temporary folder. With --all each package manager, test runner
// and compiler is tried with each release of Node (package/matrix.mjs). With --arm64 the addon for arm64 is built and run, too: that
// needs g++-aarch64-linux-gnu and qemu-user-static.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { requirementProblems } from './check-glibc.mjs';
import {
  addonPackage,
  builtAddon,
  buildPackage,
  expectedFiles,
  filesInTarball,
  installPackage,
  packAll,
  runConsumers,
  withTemporaryFolder,
} from './package.mjs';
import { allBundlers, checkBundlers } from './package/bundlers.mjs';
import { crossAddons, runArm64 } from './package/cross.mjs';
import { runMatrix } from './package/matrix.mjs';
import { exitCodeOf, filesBelow, main, root, runTool } from './support.mjs';

/**
 * @param {string} tarball
 * @param {string} sources
 */
function checkFiles(tarball, sources) {
  const expected = new Set(expectedFiles(sources));
  const actual = new Set(filesInTarball(tarball));
  const problems = [
    ...[...actual].filter((file) => !expected.has(file)).map((file) => `has the unexpected file ${file}`),
    ...[...expected].filter((file) => !actual.has(file)).map((file) => `lacks ${file}`),
  ];
  if (problems.length > 0) throw new Error(problems.map((problem) => `The tarball ${problem}`).join('\n'));
  console.log(`tarball: ${actual.size} files, as expected`);
}

/** @param {string} sources */
function checkRequirements(sources) {
  if (process.platform !== 'linux') return;
  const problems = requirementProblems(path.join(sources, builtAddon));
  if (problems.length > 0) throw new Error(problems.map((problem) => `The addon ${problem}`).join('\n'));
  console.log('addon: needs no newer libraries than Node');
}

/**
 * Compiles TypeScript programs with the declarations in the package. The compiler checks these, too: a declaration that needs
 * other settings than a user's default ones is an error.
 *
 * @param {string} folder
 */
async function checkTypes(folder) {
  const types = path.join(root, 'node_modules', '@types');
  for (const name of ['consumer-types.mts', 'consumer-types.cts']) {
    cpSync(path.join(root, 'test', 'package', name), path.join(folder, name));
    const settings = ['--strict', '--noEmit', '--target', 'es2022', '--module', 'nodenext'];
    await runTool('typescript/bin/tsc', [...settings, '--typeRoots', types, '--types', 'node', name], { cwd: folder });
  }
  console.log('types: compile');
}

/**
 * Checks that an import without an addon fails with an error that says how to get one.
 *
 * @param {string} folder
 * @param {string} target
 * @param {NodeJS.ProcessEnv} environment
 */
async function checkMissingAddon(folder, target, environment) {
  rmSync(path.join(folder, 'node_modules', addonPackage(target)), { recursive: true });
  const program = `
    import('node-multiprocessing').then(
      () => process.exit(1),
      ({ code, message }) =>
        process.exit(code === 'ERR_MP_NOT_SUPPORTED' && message.includes('npm install --include=optional') ? 0 : 2),
    );`;
  const code = await exitCodeOf(process.execPath, ['-e', program], { cwd: folder, env: environment });
  if (code !== 0) throw new Error('Without its addon the package does not say how to get it');
  console.log('missing addon: the error says how to get it');
}

/**
 * Whether the problem is that of resolving as Node 10 did, which does not know `exports` and so finds no path below the name.
 *
 * @param {object} problem
 */
function isOldResolution(problem) {
  const { resolutionKind, entrypoint } = /** @type {Record<string, unknown>} */ ({ ...problem });
  return resolutionKind === 'node10' && entrypoint !== '.';
}

/**
 * Checks that tools of all kinds find the files and the types that package.json names.
 *
 * @param {string} tarball
 */
async function checkManifest(tarball) {
  const bytes = new Uint8Array(readFileSync(tarball));
  const { messages, pkg } = await publint({ pack: { tarball: bytes.buffer }, strict: true });
  const types = await checkPackage(createPackageFromTarballData(bytes));
  const problems = [
    ...messages.map((message) => formatMessage(message, pkg) ?? message.code),
    ...('problems' in types
      ? types.problems.filter((problem) => !isOldResolution(problem)).map((problem) => JSON.stringify(problem))
      : ['it has no types']),
  ];
  if (problems.length > 0) throw new Error(problems.join('\n'));
  console.log('package.json: names what there is');
}

/**
 * Checks that the links of the package's pages lead to files of the package.
 *
 * @param {string} folder The folder in which the package is installed.
 */
function checkLinks(folder) {
  const installed = path.join(folder, 'node_modules', 'node-multiprocessing');
  const pages = filesBelow(installed).filter((file) => file.endsWith('.md'));
  const dead = pages.flatMap((page) =>
    [...readFileSync(path.join(installed, page), 'utf8').matchAll(/\]\(([^)\s#]+)[^)\s]*\)/g)]
      .map(([, link = '']) => link)
      .filter((link) => !/^https?:/.test(link) && !existsSync(path.join(installed, path.dirname(page), link)))
      .map((link) => `${page} links to ${link}, which is not in the package`),
  );
  if (dead.length > 0) throw new Error(dead.join('\n'));
  console.log(`links: those of ${pages.length} pages lead somewhere`);
}

/** The largest packed size of the package without an addon, in bytes. */
const MOST_BYTES = 350 * 1024;

/** @param {string} tarball */
function checkSize(tarball) {
  const { size } = statSync(tarball);
  if (size > MOST_BYTES) throw new Error(`The tarball has ${size} bytes; the limit is ${MOST_BYTES}`);
  console.log(`tarball: ${size} bytes`);
}

await main(() =>
  withTemporaryFolder(async (folder) => {
    const { sources, target, packed } = await buildPackage(folder);
    checkFiles(packed.main, sources);
    checkSize(packed.main);
    await checkManifest(packed.main);
    checkRequirements(sources);
    const user = path.join(folder, 'user');
    const environment = await installPackage(user, packed, process.execPath);
    checkLinks(user);
    await runConsumers(user, process.execPath, environment);
    await checkTypes(user);
    await checkBundlers(user, folder, process.argv.includes('--bundlers') ? allBundlers : ['esbuild', 'rollup']);
    if (process.argv.includes('--arm64')) {
      const addons = await packAll(sources, await crossAddons(folder), mkdtempSync(path.join(folder, 'cross-')));
      await runArm64(path.join(folder, 'arm64-user'), addons);
    }
    await checkMissingAddon(user, target, environment);
    const all = process.argv.find((argument) => /^--all(=|$)/.test(argument));
    if (all !== undefined)
      await runMatrix(mkdtempSync(path.join(folder, 'matrix-')), packed, all.slice('--all='.length));
  }),
);
