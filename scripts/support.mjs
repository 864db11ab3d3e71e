// SPDX-License-Identifier: MIT
//
// What the build and test scripts have in common: running programs, finding files, and reporting counts.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** The C++ and C compilers, named as make and node-gyp name them. */
export const cxx = process.env['CXX'] ?? 'c++';
export const cc = process.env['CC'] ?? 'cc';

/**
 * Runs a program with this process's output. Resolves to its exit code, or to 128 and more when a signal ended it.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>}
 */
export function exitCodeOf(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, ...options, stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (signal !== null) console.error(`${command} was ended by ${signal}`);
      resolve(code ?? 128);
    });
  });
}

/**
 * Runs a program with this process's output and throws when it fails.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 */
export async function run(command, args, options = {}) {
  const code = await exitCodeOf(command, args, options);
  if (code !== 0) throw new Error(`"${[command, ...args].join(' ')}" failed with exit code ${code}`);
}

/**
 * Runs one of the programs that npm installed, under the Node that runs this script.
 *
 * @param {string} script Path below node_modules.
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 */
export function runTool(script, args, options = {}) {
  return run(process.execPath, [path.join(root, 'node_modules', script), ...args], options);
}

/**
 * The standard output of a program, without the final newline. Throws when the program fails.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 */
export function outputOf(command, args, options = {}) {
  /** @type {import('node:child_process').StdioOptions} */
  const stdio = ['ignore', 'pipe', 'inherit'];
  const settings = { cwd: root, maxBuffer: 1 << 28, ...options, stdio };
  return execFileSync(command, args, { ...settings, encoding: 'utf8' }).trimEnd();
}

/**
 * The files below a folder, relative to it, sorted; none when there is no such folder.
 *
 * @param {string} folder
 * @returns {string[]}
 */
export function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}

/**
 * Makes a folder anew. The new one takes the place of the old one in one step when it is complete, since another process may be
 * loading files from it.
 *
 * @param {string} folder
 * @param {(fresh: string) => Promise<void>} fill Gets the folder to fill, which is below out/.
 */
export async function replaceFolder(folder, fill) {
  const place = (/** @type {string} */ kind) =>
    path.join(root, 'out', `${kind}-${path.basename(folder)}-${process.pid}`);
  const [fresh, previous] = [place('fresh'), place('previous')];
  mkdirSync(fresh, { recursive: true });
  try {
    await fill(fresh);
    if (existsSync(folder)) renameSync(folder, previous);
    renameSync(fresh, folder);
  } finally {
    for (const leftover of [fresh, previous]) rmSync(leftover, { recursive: true, force: true });
  }
}

/**
 * The environment for node-gyp. Headers that came with the running Node are used where they are, since node-gyp would
 * download them again.
 */
export function buildEnvironment() {
  const prefix = path.dirname(path.dirname(process.execPath));
  const installed = existsSync(path.join(prefix, 'include', 'node', 'node_api.h'));
  return installed && process.env['npm_config_nodedir'] === undefined
    ? { ...process.env, npm_config_nodedir: prefix }
    : process.env;
}

/** The file that starts npm: the one that runs this script, or else the one on the PATH. */
export function npmScript() {
  return process.env['npm_execpath'] ?? outputOf('sh', ['-c', 'readlink -f "$(command -v npm)"']);
}

/** @returns {string[]} The executables of CPython, version 3.8 and later, that are installed as `python3` or with their version. */
export function pythons() {
  // A name that pyenv has put on the PATH runs only versions that are chosen.
  const pyenv = spawnSync('pyenv', ['versions', '--bare'], { encoding: 'utf8' });
  const chosen = pyenv.status === 0 ? { PYENV_VERSION: pyenv.stdout.trim().split('\n').join(':') } : {};
  const env = { ...process.env, ...chosen };
  const names = ['python3', ...[8, 9, 10, 11, 12, 13].map((minor) => `python3.${minor}`)];
  const isOne = "sys.implementation.name == 'cpython' and sys.version_info >= (3, 8)";
  const program = `import sys; print(sys.executable if ${isOne} else '')`;
  const found = names.map((name) => spawnSync(name, ['-c', program], { encoding: 'utf8', env }));
  return [...new Set(found.map(({ status, stdout }) => (status === 0 ? stdout.trim() : '')))].filter(Boolean);
}

/**
 * How many tests ran, and a text for each that failed.
 *
 * @typedef {{ passed: number, failed: number, skipped: number, failures: string[] }} Counts
 */

/**
 * Hands counts to a caller that asked for it with the environment variable
 * TEST_COUNTS_FILE. What is reported while tests are running counts when they never come to their end.
 *
 * @param {Counts & { finished: boolean }} counts
 */
export function reportCounts(counts) {
  const file = process.env['TEST_COUNTS_FILE'];
  if (file !== undefined && file !== '') writeFileSync(file, `${JSON.stringify(counts)}\n`);
}

/**
 * Runs a script's main function; a failure becomes one line and exit code 1.
 *
 * @param {() => void | Promise<void>} body
 */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
