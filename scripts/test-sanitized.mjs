// SPDX-License-Identifier: MIT
//
// Runs the native tests and the test suite with an instrumented addon. Any report of the sanitizer is a failure, also one from
// a child process.
//
//   node scripts/test-sanitized.mjs address|thread [arguments for mocha]
//
// The addon is built below out/, so build/ does not change. Node itself is not instrumented: the sanitizer's runtime is
// preloaded into it and into the Node processes that the tests start. Other programs must run without the runtime;
// test/helpers removes it from their environment.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildEnvironment, cxx, exitCodeOf, main, npmScript, outputOf, root, run, runTool } from './support.mjs';

const [kind = '', ...mochaArguments] = process.argv.slice(2);

/** @type {Record<string, { runtime: string, options: (log: string) => Record<string, string> }>} */
const sanitizers = {
  address: {
    runtime: 'libasan.so',
    options: (log) => ({
      // Only mocha's own process is searched for leaks: see no-leak-check-in-children.mjs.
      ASAN_OPTIONS: `detect_leaks=1:log_path=${log}`,
      LSAN_OPTIONS: `suppressions=${path.join(root, 'suppressions', 'lsan.txt')}:print_suppressions=0`,
      UBSAN_OPTIONS: `print_stacktrace=1:log_path=${log}-undefined`,
    }),
  },
  thread: {
    runtime: 'libtsan.so',
    options: (log) => ({
      // The members of a queue that the native tests fork start threads.
      TSAN_OPTIONS: `suppressions=${path.join(root, 'suppressions', 'tsan.txt')}:die_after_fork=0:second_deadlock_stack=1:log_path=${log}`,
    }),
  },
};

const folder = path.join(root, 'out', `sanitize-${kind}`);
const reports = path.join(folder, 'reports');
const addon = path.join(folder, 'build', 'Release', 'multiprocessing.node');

async function buildAddon() {
  mkdirSync(folder, { recursive: true });
  // node-gyp builds in its working directory.
  for (const name of ['binding.gyp', 'native', 'node_modules', 'package.json']) {
    const link = path.join(folder, name);
    rmSync(link, { force: true });
    symlinkSync(path.join(root, name), link);
  }
  await runTool('node-gyp/bin/node-gyp.js', ['rebuild', `--sanitize=${kind}`], {
    cwd: folder,
    env: buildEnvironment(),
  });
}

/**
 * Makes a folder with a `node` that preloads the runtime, for programs that run without it and start Node processes.
 *
 * @param {string} runtime
 */
function preloadingNode(runtime) {
  const bin = path.join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  const script = `#!/bin/sh\nLD_PRELOAD='${runtime}' exec '${process.execPath}' "$@"\n`;
  writeFileSync(path.join(bin, 'node'), script, { mode: 0o755 });
  return bin;
}

/** @returns {string[]} The sanitizer's reports. */
function readReports() {
  return readdirSync(reports)
    .sort()
    .map((name) => `${name}:\n${readFileSync(path.join(reports, name), 'utf8')}`);
}

await main(async () => {
  const sanitizer = sanitizers[kind];
  if (sanitizer === undefined) throw new Error(`The first argument is "address" or "thread", not "${kind}"`);
  const runtime = outputOf(cxx, [`-print-file-name=${sanitizer.runtime}`]);
  // A compiler without that file prints the bare name.
  if (!existsSync(runtime)) throw new Error(`${cxx} has no ${sanitizer.runtime}`);

  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports, { recursive: true });
  const options = sanitizer.options(path.join(reports, 'report'));

  await buildAddon();
  await run(process.execPath, [npmScript(), 'run', 'build:tests']);

  // Some tests must know that a sanitizer is there: measurements of time and memory mean nothing then.
  const instrumented = { ...process.env, ...options, NODE_MULTIPROCESSING_SANITIZER: kind };
  const failed = [];
  const nativeTests = [path.join(root, 'scripts', 'test-native.mjs'), `--sanitize=${kind}`];
  if ((await exitCodeOf(process.execPath, nativeTests, { env: instrumented })) !== 0) failed.push('native tests');

  const suite = [
    path.join(root, 'node_modules', 'mocha', 'bin', 'mocha.js'),
    '--require=./scripts/no-leak-check-in-children.mjs',
    'out/test/**/*.test.js',
    '--ignore=out/test/stress/**',
    '--timeout=300000',
    ...mochaArguments,
  ];
  const env = {
    ...instrumented,
    LD_PRELOAD: runtime,
    NODE_MULTIPROCESSING_ADDON: addon,
    PATH: `${preloadingNode(runtime)}:${process.env['PATH']}`,
  };
  if ((await exitCodeOf(process.execPath, suite, { env })) !== 0) failed.push('test suite');

  const found = readReports();
  if (found.length > 0) {
    console.error(found.join('\n'));
    failed.push(`${found.length} reports in ${path.relative(root, reports)}`);
  }
  if (failed.length > 0) throw new Error(`${kind} sanitizer: ${failed.join(', ')}`);
  console.log(`${kind} sanitizer: no reports`);
});
