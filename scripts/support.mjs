// SPDX-License-Identifier: MIT
//
// Functions that several scripts use: for running programs, for finding files, and for reporting numbers of tests.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** The C++ and C compilers. make and node-gyp read the same variables. */
export const cxx = process.env['CXX'] ?? 'c++';
export const cc = process.env['CC'] ?? 'cc';

/**
 * Runs a program, which writes to the output of this process. Resolves to its exit code, or to 128 if a signal ended it.
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
 * Runs a program, which writes to the output of this process. Rejects if the program fails.
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
 * The standard output of a program, without the final newline. Throws if the program fails.
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
 * The files below a folder, relative to it and sorted; none if the folder does not exist.
 *
 * @param {string} folder
 * @returns {string[]}
 */
export function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .filter((file) => !file.split(path.sep).includes('node_modules'))
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
 * The environment for node-gyp. It names the headers that came with the running Node, if there are any; node-gyp would
 * download them again.
 */
export function buildEnvironment() {
  const prefix = path.dirname(path.dirname(process.execPath));
  const installed = existsSync(path.join(prefix, 'include', 'node', 'node_api.h'));
  return installed && process.env['npm_config_nodedir'] === undefined
    ? { ...process.env, npm_config_nodedir: prefix }
    : process.env;
}

/** The file that starts npm: that of the npm that runs this script, or else of the one on the PATH. */
export function npmScript() {
  return process.env['npm_execpath'] ?? outputOf('sh', ['-c', 'readlink -f "$(command -v npm)"']);
}

/** @returns {string[]} The executables of each CPython 3.8 or later that is installed as `python3` or `python3.<version>`. */
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
 * The numbers of tests, and a text for each that failed.
 *
 * @typedef {{ passed: number, failed: number, skipped: number, failures: string[] }} Counts
 */

/**
 * Writes the numbers of tests to the file that the environment variable TEST_COUNTS_FILE names, if it is set. A program reports
 * after each test, so that the numbers are there if it does not reach its end.
 *
 * @param {Counts & { finished: boolean }} counts
 */
export function reportCounts(counts) {
  const file = process.env['TEST_COUNTS_FILE'];
  if (file !== undefined && file !== '') writeFileSync(file, `${JSON.stringify(counts)}\n`);
}

/**
 * Runs the main function of a script. If it fails, this prints one line, and the exit code is 1.
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
