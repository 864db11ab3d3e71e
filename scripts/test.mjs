// SPDX-License-Identifier: MIT
//
// The suite. Most tests wait for other processes, so several parts of it run at a time, one more than there are processors.
// Each part has a /dev/shm of its own, since a test is judged by what it leaves there. A user that may not mount one runs the whole suite as one part.
//
//   node scripts/test.mjs [arguments for mocha]
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { filesBelow, main, reportCounts, root } from './support.mjs';

/** How many parts there are for each that runs at the same time: many, so that all end together. */
const PARTS_PER_LANE = 6;

/** Runs a program with an empty /dev/shm that no other process sees. */
const PRIVATE = ['--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /dev/shm && exec "$@"', 'sh'];

/** @typedef {import('./support.mjs').Counts & { finished: boolean }} Report */

/**
 * A mocha process with some files of the suite.
 *
 * @typedef {{ counts: string, output: Buffer[], process: import('node:child_process').ChildProcess }} Part
 */

const mocha = path.join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
const folder = mkdtempSync(path.join(tmpdir(), 'suite-'));
/** @type {Part[]} */
const parts = [];

/**
 * Starts mocha with these files. Resolves to its exit code.
 *
 * @param {readonly string[]} files
 * @param {readonly string[]} args
 * @param {boolean} apart Whether it runs beside another part.
 * @returns {Promise<number>}
 */
function runPart(files, args, apart) {
  const program = [process.execPath, mocha, ...files, ...args];
  const [command = '', ...rest] = apart ? ['unshare', ...PRIVATE, ...program] : program;
  const counts = path.join(folder, `${parts.length}.json`);
  const child = spawn(command, rest, {
    cwd: root,
    env: { ...process.env, TEST_COUNTS_FILE: counts },
    stdio: ['ignore', apart ? 'pipe' : 'inherit', apart ? 'pipe' : 'inherit'],
  });
  /** @type {Part} */
  const part = { counts, output: [], process: child };
  parts.push(part);
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (/** @type {Buffer} */ data) => part.output.push(data));
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      // In one piece, so that the lines of two parts do not mix.
      process.stdout.write(Buffer.concat(part.output));
      part.output.length = 0;
      resolve(code ?? 128);
    });
  });
}

/**
 * What a part has reported; undefined if it has not begun, or is writing the file.
 *
 * @param {string} file
 * @returns {Report | undefined}
 */
function readReport(file) {
  try {
    /** @type {unknown} */
    const report = JSON.parse(readFileSync(file, 'utf8'));
    return /** @type {Report} */ (report);
  } catch {
    return undefined;
  }
}

/**
 * The sum of what the parts have reported.
 *
 * @param {boolean} finished
 * @returns {Report}
 */
function sum(finished) {
  /** @type {Report} */
  const total = { passed: 0, failed: 0, skipped: 0, failures: [], finished };
  for (const { counts } of parts) {
    const report = readReport(counts);
    total.passed += report?.passed ?? 0;
    total.failed += report?.failed ?? 0;
    total.skipped += report?.skipped ?? 0;
    total.failures.push(...(report?.failures ?? []));
    total.finished &&= report?.finished === true;
  }
  return total;
}

await main(async () => {
  const args = process.argv.slice(2);
  const files = filesBelow(path.join(root, 'out', 'test'))
    .filter((file) => file.endsWith('.test.js') && !file.startsWith('stress'))
    .map((file) => path.join('out', 'test', file));
  // A filter leaves most parts without a test, which mocha takes for a mistake.
  const filtered = args.some((arg) => /^(-g|-f|--grep|--fgrep)/.test(arg));
  const divisible = !filtered && spawnSync('unshare', [...PRIVATE, 'true']).status === 0;
  const lanes = divisible ? Math.min(4, availableParallelism() + 1) : 1;
  const count = lanes === 1 ? 1 : lanes * PARTS_PER_LANE;
  // Neighbours in the alphabet take about as long as each other.
  const left = Array.from({ length: count }, (_, part) => files.filter((_, index) => index % count === part));
  process.once('SIGTERM', () => {
    reportCounts(sum(false));
    for (const each of parts) {
      process.stdout.write(Buffer.concat(each.output));
      each.process.kill();
    }
    process.exitCode = 143;
    left.length = 0;
  });
  let failed = false;
  const lane = async () => {
    for (let part = left.shift(); part !== undefined; part = left.shift()) {
      if ((await runPart(part, args, lanes > 1)) !== 0) failed = true;
      reportCounts(sum(false));
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const total = sum(true);
  reportCounts(total);
  rmSync(folder, { recursive: true });
  if (lanes > 1) {
    for (const failure of total.failures) console.log(`\n${failure}`);
    console.log(`\n${total.passed} passing, ${total.failed} failing, in ${count} parts`);
  }
  if (failed) process.exitCode ??= 1;
});
