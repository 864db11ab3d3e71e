// SPDX-License-Identifier: MIT
//
// tests-in-worker <selection>: runs tests of the suite in a worker thread. The selection is JSON: for each file the parts of
// titles, or none for all of its tests. Prints as JSON how many of each file have passed, and the failures.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';

import Mocha from 'mocha';

type Selection = Readonly<Record<string, readonly string[]>>;

const fileOf = (name: string): string => fileURLToPath(new URL(`../../${name}.test.js`, import.meta.url));

function select(suite: Mocha.Suite, selection: Selection): void {
  suite.tests = suite.tests.filter((test) => {
    const titles = Object.entries(selection).find(([name]) => fileOf(name) === test.file)?.[1] ?? [];
    return titles.length === 0 || titles.some((title) => test.fullTitle().includes(title));
  });
  for (const inner of suite.suites) select(inner, selection);
}

async function runTests(selection: Selection): Promise<void> {
  const mocha = new Mocha({ timeout: 60_000, reporter: 'min' });
  const names = Object.keys(selection);
  for (const name of names) mocha.addFile(fileOf(name));
  await mocha.loadFilesAsync();
  select(mocha.suite, selection);
  const passed = Object.fromEntries(names.map((name) => [name, 0]));
  const failures: string[] = [];
  const runner = mocha.reporter(Mocha.reporters.Base).run(() => parentPort?.postMessage({ passed, failures }));
  runner.on('pass', ({ file }) => {
    for (const name of names) if (fileOf(name) === file) passed[name]!++;
  });
  runner.on('fail', (test, error: unknown) => failures.push(`${test.fullTitle()}: ${String((error as Error).stack)}`));
}

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url), {
    workerData: JSON.parse(process.argv[2] as string) as Selection,
  });
  // The output of the tests is not the report.
  worker.on('message', (report) => {
    worker.once('exit', () => process.stdout.write(`\n${JSON.stringify(report)}\n`));
  });
} else {
  await runTests(workerData as Selection);
}
