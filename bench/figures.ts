// SPDX-License-Identifier: MIT
//
// The figures the project promises, judged by what was measured.
import type { ProbeResults } from './probes/index.js';
import { summarizeRatios, type Summary } from './statistics.js';
import type { Measurement } from './suite.js';

export interface Figure {
  readonly claim: string;
  readonly measured: string;
  readonly met: boolean;
}

export type Lookup = (workload: string, trial: string) => readonly number[] | undefined;

export function lookupIn(measurements: readonly Measurement[]): Lookup {
  return (workload, trial) =>
    measurements.find((found) => found.workload === workload && found.trial === trial)?.micros;
}

export function formatRatio({ median, lowerQuartile, upperQuartile }: Summary): string {
  return `${median.toFixed(2)} x (${lowerQuartile.toFixed(2)} to ${upperQuartile.toFixed(2)})`;
}

const kinds = ['socketpair', 'pipe'] as const;
/** The smallest message is judged without spinning, the larger ones as the settings are by default. */
const yardsticks = [
  { workload: 'round-trip-64', trial: 'sync', name: '64 B', how: 'not spinning', limit: 1.2 },
  { workload: 'round-trip-64k', trial: 'spin', name: '64 KiB', how: 'by default', limit: 1.3 },
  { workload: 'round-trip-1m', trial: 'spin', name: '1 MiB', how: 'by default', limit: 1.3 },
];
const asyncTrials = [
  { trial: 'async', how: 'by default' },
  { trial: 'async-spin', how: 'spinning' },
];
const slowerThanAsync = ['process.send/json', 'process.send/advanced', 'MessagePort', 'net.Socket'];

/** Bytes one idle connection may cost. */
const idleLimitBytes = 4096;
/** "The same" has to allow for noise. */
const wakeLimit = 1.15;

function ratioFigure(
  lookup: Lookup,
  claim: string,
  workload: string,
  ours: string,
  theirs: string,
  limit: number,
): Figure[] {
  const our = lookup(workload, ours);
  const their = lookup(workload, theirs);
  if (!our || !their) return [];
  const ratio = summarizeRatios(our, their);
  return [{ claim, measured: formatRatio(ratio), met: ratio.median <= limit }];
}

export function judge(measurements: readonly Measurement[], probes: ProbeResults): Figure[] {
  const lookup = lookupIn(measurements);
  const figures = yardsticks.flatMap(({ workload, trial, name, how, limit }) =>
    kinds.flatMap((kind) =>
      ratioFigure(
        lookup,
        `sync ${name}, ${kind}, ${how}: at most ${limit} x C`,
        workload,
        `${trial}/${kind}`,
        `c/${kind}`,
        limit,
      ),
    ),
  );
  for (const { trial, how } of asyncTrials) {
    for (const kind of kinds) {
      for (const peer of slowerThanAsync) {
        const claim = `async 64 B, ${kind}, ${how}: below ${peer}`;
        figures.push(...ratioFigure(lookup, claim, 'round-trip-64', `${trial}/${kind}`, peer, 1));
      }
    }
  }
  if (probes.memory) {
    for (const [stage, { residentBytes }] of Object.entries(probes.memory.stages)) {
      figures.push({
        claim: `idle connection, ${stage}: below ${idleLimitBytes} bytes`,
        measured: `${Math.round(residentBytes)} bytes resident`,
        met: residentBytes < idleLimitBytes,
      });
    }
  }
  if (probes.wakeUp) {
    const { alone, among, connections } = probes.wakeUp;
    const ratio = summarizeRatios(among, alone);
    figures.push({
      claim: `waking one of ${connections} pending receives: at most ${wakeLimit} x waking a lone one`,
      measured: formatRatio(ratio),
      met: ratio.median <= wakeLimit,
    });
  }
  if (probes.locks) {
    const { uncontended, handOver } = probes.locks;
    const claims: [string, readonly number[] | undefined, readonly number[] | undefined, number][] = [
      ["uncontended lock: at most 2.5 x CPython's", uncontended['ours'], uncontended['CPython'], 2.5],
      ["hand-over of a lock, sync: at most 1.3 x CPython's", handOver['ours, sync'], handOver['CPython'], 1.3],
      ['hand-over of a lock, async: at most 2.2 x sync', handOver['ours, async'], handOver['ours, sync'], 2.2],
    ];
    for (const [claim, ours, theirs, limit] of claims) {
      const ratio = summarizeRatios(ours ?? [], theirs ?? []);
      figures.push({ claim, measured: formatRatio(ratio), met: ratio.median <= limit });
    }
  }
  for (const count of probes.syscalls ?? []) figures.push(...count.figures);
  return figures;
}
