// SPDX-License-Identifier: MIT
import { formatRatio, lookupIn, type Figure, type Lookup } from './figures.js';
import { comparisonIds, comparisonProbes } from './probes/comparisons.js';
import type { ProbeResults } from './probes/index.js';
import { describe } from './probes/syscalls.js';
import { median, summarize, summarizeRatios } from './statistics.js';
import type { Measurement, SuiteResult } from './suite.js';
import type { Trial } from './trials/trial.js';
import type { Workload } from './workloads.js';

/** The column that every peer is compared with, besides C: `Pipe()` and `await` without any option. */
const ourReference = 'async/socketpair';

/** Aligns columns: the first one to the left, the numbers to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '),
    )
    .map((line) => line.trimEnd())
    .join('\n');
}

export function formatMicros(micros: number): string {
  if (micros >= 100) return micros.toFixed(0);
  return micros >= 10 ? micros.toFixed(1) : micros.toFixed(2);
}

function ratioTo(lookup: Lookup, workload: Workload, own: readonly number[], base: string): string {
  const theirs = lookup(workload.id, base);
  return theirs ? summarizeRatios(own, theirs).median.toFixed(2) : '';
}

/** Messages per second where the count is the limit, bytes per second where the bytes are. */
function rate(workload: Workload, micros: number): string {
  return workload.sizeBytes < 1024
    ? `${(1000 / micros).toFixed(0)} k msg/s`
    : `${(workload.sizeBytes / micros).toFixed(0)} MB/s`;
}

function measured(result: SuiteResult, workload: Workload, trial: Trial): Measurement | undefined {
  return result.measurements.find((found) => found.workload === workload.id && found.trial === trial.id);
}

/** A middle value, or nothing where the peer does not tell. */
function middleOf(samples: readonly number[], format: (value: number) => string): string {
  return samples.length === 0 ? '' : format(median(samples));
}

function workloadTable(workload: Workload, trials: readonly Trial[], result: SuiteResult): string {
  const lookup = lookupIn(result.measurements);
  const oneWay = workload.mode === 'one-way';
  const rows = trials.flatMap((trial) => {
    const found = measured(result, workload, trial);
    if (!found) return [];
    const { micros, p99Micros, cpuMicros, faults } = found;
    const { median: middle, lowerQuartile, upperQuartile } = summarize(micros);
    // Peers without a descriptor of their own are compared with C's socketpair, its faster kind for a round trip.
    const c = trial.kind === 'pipe' ? 'c/pipe' : 'c/socketpair';
    return [
      [
        trial.label,
        formatMicros(middle),
        `${formatMicros(lowerQuartile)} to ${formatMicros(upperQuartile)}`,
        middleOf(p99Micros, formatMicros),
        middleOf(cpuMicros, formatMicros),
        middleOf(faults, (each) => each.toFixed(2)),
        ...(oneWay ? [rate(workload, middle)] : []),
        ratioTo(lookup, workload, micros, c),
        ratioTo(lookup, workload, micros, ourReference),
      ],
    ];
  });
  if (rows.length === 0) return '';
  const header = [
    `${workload.title} (us)`,
    'median',
    'quartiles',
    'p99',
    'CPU',
    'faults',
    ...(oneWay ? ['rate'] : []),
    'x C',
    'x ours async',
  ];
  return formatTable([header, ...rows]);
}

function memoryTable({ memory }: ProbeResults): string {
  if (!memory) return '';
  const rows = Object.entries(memory.stages).map(([stage, { residentBytes, heapBytes }]) => [
    stage,
    residentBytes.toFixed(0),
    heapBytes.toFixed(0),
  ]);
  return formatTable([[`Bytes per connection, ${memory.connections} idle`, 'resident', 'JS heap'], ...rows]);
}

function wakeUpTable({ wakeUp }: ProbeResults): string {
  if (!wakeUp) return '';
  const { connections, alone, among, rotating } = wakeUp;
  const row = (label: string, samples: readonly number[]): string[] => [
    label,
    formatMicros(median(samples) / 1000),
    formatRatio(summarizeRatios(samples, alone)),
  ];
  return formatTable([
    ['Waking a pending receive (us)', 'median', 'x alone'],
    row('alone', alone),
    row(`one of ${connections}, always the same`, among),
    row(`one of ${connections}, another each time`, rotating),
  ]);
}

function comparisonTables({ comparisons = {} }: ProbeResults): string[] {
  return comparisonIds.flatMap((id) => {
    const results = comparisons[id];
    if (results === undefined) return [];
    const { title, comparisons: made } = comparisonProbes[id];
    const rows = made.flatMap(({ operation, ways, yardstick }) =>
      ways.flatMap(({ label }) => {
        const { [label]: samples, [yardstick]: theirs } = results[operation] ?? {};
        if (samples === undefined) return [];
        const ratio = theirs === undefined ? '' : formatRatio(summarizeRatios(samples, theirs));
        return [[`${operation}, ${label}`, formatMicros(median(samples) / 1000), ratio]];
      }),
    );
    return [formatTable([[title, 'median', 'x the last'], ...rows])];
  });
}

function syscallTable({ syscalls }: ProbeResults): string {
  if (!syscalls) return '';
  const rows = syscalls.map((count) => [
    describe(count),
    Object.entries(count.calls)
      .map(([name, each]) => `${name} ${each.toFixed(2)}`)
      .join(', '),
  ]);
  return formatTable([['System calls per message', ''], ...rows]);
}

export function probeTables(probes: ProbeResults): string[] {
  return [memoryTable(probes), wakeUpTable(probes), ...comparisonTables(probes), syscallTable(probes)].filter(
    (table) => table !== '',
  );
}

export function suiteTables(result: SuiteResult, trials: readonly Trial[], workloads: readonly Workload[]): string[] {
  return workloads.map((workload) => workloadTable(workload, trials, result)).filter((table) => table !== '');
}

export function settingsLines(trials: readonly Trial[]): string[] {
  return trials.map(({ label, settings }) => `  ${label}: ${settings}`);
}

export function figuresTable(figures: readonly Figure[]): string {
  const rows = figures.map(({ claim, measured, met }) => [claim, measured, met ? 'met' : 'MISSED']);
  return rows.length === 0 ? '' : formatTable([['Figure', 'measured', ''], ...rows]);
}
