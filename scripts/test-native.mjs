// SPDX-License-Identifier: MIT
//
// Builds and runs the tests that need no Node: native/test/*_test.cc, and test/peers/*_test.c, which test the C headers and are
// compiled both as C and as C++.
//
//   node scripts/test-native.mjs [--sanitize=address|thread] [--musl]
//
// A test is a program that prints TAP ("ok 1 - name", "not ok 2 - name") and exits with 0 if all its tests pass. The C++ tests
// are linked with those files of native/ that include neither Node's nor libuv's headers. With --musl the programs are made by
// zig, which the environment variable ZIG names, and contain musl, so they run on any Linux.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { compileAll, librarySources } from './native-sources.mjs';
import { cc, cxx, filesBelow, main, reportCounts, root } from './support.mjs';

/** @typedef {import('./support.mjs').Counts} Counts */

const sanitize = process.argv.find((argument) => argument.startsWith('--sanitize='))?.slice('--sanitize='.length) ?? '';

/** A program that runs longer than this is stuck. With a sanitizer a program is many times slower. */
const timeLimitMs = sanitize === '' ? 300_000 : 1_200_000;

/** @type {Record<string, string[]>} */
const sanitizerFlags = {
  '': [],
  address: ['-fsanitize=address,undefined', '-fno-omit-frame-pointer'],
  thread: ['-fsanitize=thread', '-fno-omit-frame-pointer'],
};

const isMusl = process.argv.includes('--musl');
const { ZIG: zig = '' } = process.env;
const muslTarget = ['-target', `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-musl`, '-static'];

/**
 * The compilers, each with its first arguments.
 *
 * @type {Record<'c' | 'c++', [command: string, ...first: string[]]>}
 */
const compilers = isMusl
  ? { c: [zig, 'cc', ...muslTarget], 'c++': [zig, 'c++', ...muslTarget] }
  : { c: [cc], 'c++': [cxx] };

/**
 * @param {'c' | 'c++'} language
 * @param {readonly string[]} args
 */
function compilation(language, args) {
  const [command, ...first] = compilers[language];
  return { command, args: [...first, ...args] };
}

const output = path.join(root, 'out', 'native-test', isMusl ? 'musl' : sanitize || 'plain');
/** With MP_TEST_STEPS a test can end a process between two steps of the code (see native/util/steps.h). */
const common = ['-DMP_TEST_STEPS', '-g1', '-O1', '-Wall', '-Wextra', '-Werror', '-pthread'];
// musl's CMSG_NXTHDR compares numbers of different signs.
if (isMusl) common.push('-Wno-sign-compare');

/**
 * @param {string} source
 * @returns {string}
 */
function objectOf(source) {
  return path.join(output, `${path.relative(root, source).replaceAll('/', '-')}.o`);
}

/** @returns {Promise<string[]>} The test programs. */
async function buildCxxTests() {
  // glibc_compat.cc defines what glibc alone has.
  const library = librarySources().filter((file) => !isMusl || path.basename(file) !== 'glibc_compat.cc');
  const folder = path.join(root, 'native', 'test');
  const own = filesBelow(folder)
    .filter((file) => file.endsWith('.cc'))
    .map((file) => path.join(folder, file));
  const tests = own.filter((file) => file.endsWith('_test.cc'));
  if (tests.length === 0) throw new Error('There is no native/test/*_test.cc');
  const flags = [...common, '-std=c++20', `-I${path.join(root, 'native')}`, ...(sanitizerFlags[sanitize] ?? [])];
  await compileAll(
    [...library, ...own].map((source) => compilation('c++', [...flags, '-c', source, '-o', objectOf(source)])),
  );
  const shared = [...library, ...own.filter((file) => !tests.includes(file))].map(objectOf);
  const programs = tests.map((test) => ({ test, program: path.join(output, path.basename(test, '.cc')) }));
  await compileAll(
    programs.map(({ test, program }) => compilation('c++', [...flags, objectOf(test), ...shared, '-o', program])),
  );
  return programs.map(({ program }) => program);
}

/** @returns {Promise<string[]>} The tests of the C headers, in each language from which programs include these. */
async function buildHeaderTests() {
  const folder = path.join(root, 'test', 'peers');
  const sources = filesBelow(folder).filter((file) => file.endsWith('_test.c'));
  if (sources.length === 0) throw new Error('There is no test/peers/*_test.c');
  const flags = [...common, '-pedantic', `-I${path.join(root, 'interop', 'c')}`, ...(sanitizerFlags[sanitize] ?? [])];
  const languages = /** @type {const} */ ([
    { name: 'c99', language: 'c', options: ['-std=c99', '-D_POSIX_C_SOURCE=200809L'] },
    { name: 'gnu17', language: 'c', options: ['-std=gnu17'] },
    { name: 'c++17', language: 'c++', options: ['-std=c++17', '-x', 'c++'] },
  ]);
  const compilations = sources.flatMap((source) =>
    languages.map(({ name, language, options }) => {
      const program = path.join(output, `${path.basename(source, '.c')}-${name}`);
      return { program, ...compilation(language, [...flags, ...options, path.join(folder, source), '-o', program]) };
    }),
  );
  await compileAll(compilations);
  return compilations.map(({ program }) => program);
}

/**
 * Runs one test program and prints its output.
 *
 * @param {string} program
 * @returns {Promise<Counts>}
 */
async function runTest(program) {
  const name = path.basename(program);
  /** @type {Counts} */
  const counts = { passed: 0, failed: 0, skipped: 0, failures: [] };
  const fail = (/** @type {string} */ text) => {
    counts.failed++;
    counts.failures.push(text);
  };
  let planned = -1;
  let explaining = false;
  console.log(`# ${name}`);
  const child = spawn(program, [], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = /** @type {Promise<string | number | null>} */ (
    new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        resolve(signal ?? code);
      });
    })
  );
  const watchdog = setTimeout(() => child.kill('SIGKILL'), timeLimitMs);
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line);
    if (explaining && line.startsWith('#')) {
      // The comments after a failure are its reasons.
      counts.failures.push(`${counts.failures.pop() ?? ''}\n${line}`);
      continue;
    }
    explaining = /^not ok\b/.test(line);
    const plan = /^1\.\.(\d+)/.exec(line);
    if (plan !== null) planned = Number(plan[1]);
    else if (explaining) fail(`${name}: ${line}`);
    else if (/^ok\b.*#\s*skip\b/i.test(line)) counts.skipped++;
    else if (/^ok\b/.test(line)) counts.passed++;
  }
  const end = await ended;
  clearTimeout(watchdog);
  const ran = counts.passed + counts.failed + counts.skipped;
  const problems = [];
  if (end !== 0 && counts.failed === 0) problems.push(`ended with ${String(end)}`);
  if (ran === 0) problems.push('reported no test');
  if (planned >= 0 && planned !== ran) problems.push(`ran ${ran} of ${planned} tests`);
  for (const problem of problems) {
    console.log(`not ok - ${name} ${problem}`);
    fail(`${name} ${problem}`);
  }
  return counts;
}

await main(async () => {
  if (!(sanitize in sanitizerFlags)) throw new Error(`--sanitize is "address" or "thread", not "${sanitize}"`);
  if (isMusl && zig === '') throw new Error('--musl needs zig: name it by the environment variable ZIG');
  if (isMusl && sanitize !== '') throw new Error('--musl and --sanitize exclude each other');
  mkdirSync(output, { recursive: true });
  const programs = [...(await buildCxxTests()), ...(await buildHeaderTests())];
  /** @type {Counts} */
  const total = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for (const program of programs) {
    const counts = await runTest(program);
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    total.failures.push(...counts.failures);
    reportCounts({ ...total, finished: false });
  }
  console.log(`\nnative: ${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  reportCounts({ ...total, finished: true });
  if (total.failed > 0) process.exitCode = 1;
});
