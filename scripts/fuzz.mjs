// SPDX-License-Identifier: MIT
//
// Fuzzes what reads bytes of others, with libFuzzer and clang's sanitizers: test/fuzz/*.cc, one target each.
//
//   node scripts/fuzz.mjs [--seconds N] [--target NAME]
//
// The seconds (60 by default) are shared by the targets. The inputs in test/fuzz/corpus/NAME are run first; new ones are kept in
// out/fuzz/corpus/NAME, and an input that fails in out/fuzz/NAME-crash-*. Without clang nothing is run, and the count says so.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { compileAll, librarySources } from './native-sources.mjs';
import { exitCodeOf, filesBelow, main, reportCounts, root, run } from './support.mjs';

const clang = process.env['FUZZ_CXX'] ?? 'clang++';
const output = path.join(root, 'out', 'fuzz');
const folder = path.join(root, 'test', 'fuzz');

const flags = [
  '-g',
  '-O1',
  '-std=c++20',
  '-pthread',
  '-fno-omit-frame-pointer',
  '-fsanitize=fuzzer-no-link,address,undefined',
  '-fno-sanitize-recover=undefined',
  `-I${path.join(root, 'native')}`,
  `-I${path.join(root, 'interop', 'c')}`,
];

/** @param {string} source */
function objectOf(source) {
  return path.join(output, `${path.relative(root, source).replaceAll('/', '-')}.o`);
}

/**
 * @param {readonly string[]} targets
 * @returns {Promise<string[]>} The programs.
 */
async function build(targets) {
  const library = librarySources();
  const sources = targets.map((name) => path.join(folder, `${name}.cc`));
  await compileAll(
    [...library, ...sources].map((source) => ({
      command: clang,
      args: [...flags, '-c', source, '-o', objectOf(source)],
    })),
  );
  return Promise.all(
    targets.map(async (name, i) => {
      const program = path.join(output, name);
      const objects = [...library, sources[i] ?? ''].map(objectOf);
      await run(clang, ['-fsanitize=fuzzer,address,undefined', '-pthread', ...objects, '-o', program]);
      return program;
    }),
  );
}

/**
 * @param {string} program
 * @param {number} seconds
 */
async function fuzz(program, seconds) {
  const name = path.basename(program);
  const found = path.join(output, 'corpus', name);
  mkdirSync(found, { recursive: true });
  const kept = path.join(folder, 'corpus', name);
  return exitCodeOf(program, [
    `-max_total_time=${seconds}`,
    `-artifact_prefix=${path.join(output, `${name}-`)}`,
    '-timeout=20',
    '-print_final_stats=1',
    '-verbosity=1',
    found,
    ...(existsSync(kept) ? [kept] : []),
  ]);
}

await main(async () => {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, target: { type: 'string' } } });
  const targets = filesBelow(folder)
    .filter(
      (file) => file.endsWith('.cc') && (values.target ?? path.basename(file, '.cc')) === path.basename(file, '.cc'),
    )
    .map((file) => path.basename(file, '.cc'));
  if (targets.length === 0) throw new Error(`There is no target ${values.target ?? ''} in test/fuzz`);
  if (spawnSync(clang, ['--version']).status !== 0) {
    console.log(`fuzz: ${targets.length} targets skipped, since there is no ${clang}`);
    reportCounts({ passed: 0, failed: 0, skipped: targets.length, failures: [], finished: true });
    return;
  }
  mkdirSync(output, { recursive: true });
  const seconds = Math.max(1, Math.floor(Number(values.seconds) / targets.length));
  const failures = [];
  for (const program of await build(targets)) {
    console.log(`# ${path.basename(program)}: ${seconds} s`);
    if ((await fuzz(program, seconds)) !== 0) failures.push(path.basename(program));
  }
  const passed = targets.length - failures.length;
  console.log(`\nfuzz: ${passed} passed, ${failures.length} failed`);
  reportCounts({ passed, failed: failures.length, skipped: 0, failures, finished: true });
  if (failures.length > 0) process.exitCode = 1;
});
