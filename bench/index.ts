// SPDX-License-Identifier: MIT
//
// `npm run bench`: the connections of this package beside other ways to move messages between two processes, in one
// run.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { judge } from './figures.js';
import type { Mode } from './job.js';
import { describeMachine, machineLines, type Machine } from './machine.js';
import { parseOptions, usage, type Options } from './options.js';
import { resultsFolder } from './paths.js';
import { drawChart, whyNoCharts } from './plot.js';
import { runProbes } from './probes/index.js';
import { figuresTable, probeTables, settingsLines, suiteTables } from './report.js';
import { select, type Selection } from './selection.js';
import { runSuite, type SuiteResult } from './suite.js';
import type { Workload } from './workloads.js';

/** Shows a line that replaces itself on a terminal. Shows nothing elsewhere: a log needs no progress. */
function showProgress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

const SUMMARY: readonly string[] = [
  'spin/socketpair',
  'async-spin/socketpair',
  'c/socketpair',
  'python/socketpair',
  'process.send/advanced',
  'MessagePort',
  'net.Socket',
  'zeromq',
];

async function plot(
  selection: Selection,
  result: SuiteResult,
  machine: Machine,
  say: (text: string) => void,
): Promise<void> {
  const { trials, workloads } = selection;
  const ofMode = (mode: Mode): Workload[] => workloads.filter((workload) => workload.mode === mode);
  const charts = [
    { name: 'round-trip', title: 'Round trips', shown: ofMode('round-trip'), trials },
    { name: 'one-way', title: 'One-way messages', shown: ofMode('one-way'), trials },
    // The one of the README: as the settings are by default.
    {
      name: 'summary',
      title: 'A message and its answer, between two processes',
      shown: workloads.filter(({ id }) => id === 'round-trip-64'),
      trials: trials.filter(({ id }) => SUMMARY.includes(id)),
    },
  ];
  await mkdir(resultsFolder, { recursive: true });
  for (const { name, title, shown, trials: peers } of charts) {
    if (shown.length === 0 || peers.length === 0) continue;
    const file = path.join(resultsFolder, `${name}.svg`);
    await writeFile(file, drawChart(title, shown, peers, result, machine));
    say(`wrote ${path.relative(process.cwd(), file)}`);
  }
}

async function benchmark(options: Options): Promise<void> {
  // Standard output takes the JSON alone, so that another program can parse it.
  const say = (text: string): void => void (options.json === '-' ? process.stderr : process.stdout).write(`${text}\n`);
  const machine = describeMachine();
  const selection = select(options);
  const folder = await mkdtemp(path.join(tmpdir(), 'bench-'));
  try {
    const { repetitions, warmUpMs, measuredMs } = options;
    for (const line of machineLines(machine)) say(line);
    say(
      `${repetitions} interleaved repetitions, each in fresh processes: ${warmUpMs} ms warm-up, ${measuredMs} ms measured`,
    );
    if (selection.trials.length > 0) say(`\nSettings\n${settingsLines(selection.trials).join('\n')}`);

    const result = await runSuite(selection.trials, selection.workloads, options, folder, showProgress);
    const probes = await runProbes(selection.probes, options, folder, showProgress);
    showProgress('');
    const figures = judge(result.measurements, probes.results);
    const noCharts = options.plot ? whyNoCharts() : undefined;
    const skipped = [...result.skipped, ...probes.skipped, ...(noCharts === undefined ? [] : [noCharts])];
    const failures = [...result.failures, ...probes.failures];

    const tables = [
      ...suiteTables(result, selection.trials, selection.workloads),
      ...probeTables(probes.results),
      figuresTable(figures),
    ];
    for (const table of tables) if (table !== '') say(`\n${table}`);
    for (const line of skipped) say(`\nskipped: ${line}`);
    for (const line of failures) say(`\nFAILED: ${line}`);

    if (options.plot && noCharts === undefined) await plot(selection, result, machine, say);
    if (options.json !== undefined) {
      const settings = Object.fromEntries(selection.trials.map((trial) => [trial.id, trial.settings]));
      const { measurements } = result;
      const everything = {
        machine,
        repetitions,
        warmUpMs,
        measuredMs,
        settings,
        measurements,
        probes: probes.results,
        figures,
        skipped,
        failures,
      };
      const json = `${JSON.stringify(everything, null, 2)}\n`;
      if (options.json === '-') process.stdout.write(json);
      else await writeFile(options.json, json);
    }
    // A missed figure is a finding; a trial that did not run is an error.
    if (failures.length > 0) process.exitCode = 1;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const options = parseOptions(process.argv.slice(2));
if (options.help) process.stdout.write(`${usage}\n`);
else await benchmark(options);
