// SPDX-License-Identifier: MIT
//
// The figures that the project promises, and whether the measurements meet them.
import type { AheadResult } from './probes/ahead.js';
import { comparisonIds, comparisonProbes, type Claim, type ComparisonResult } from './probes/comparisons.js';
import type { ProbeResults } from './probes/index.js';
import { describe, KiB, reads, tolerance, writes, type SyscallCount } from './probes/syscalls.js';
import { median, summarizeRatios, type Summary } from './statistics.js';
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

function judgeClaim({ claim, operation, ours, theirs, limit, extraNs = 0 }: Claim, results: ComparisonResult): Figure {
  const { [ours]: our = [], [theirs]: their = [] } = results[operation] ?? {};
  const ratio = summarizeRatios(our, their);
  const allowed = summarizeRatios(
    our,
    their.map((ns) => limit * ns + extraNs),
  );
  return { claim, measured: formatRatio(ratio), met: allowed.median <= 1 };
}

function aheadFigures({ busyMs, gotMs, highWaterMark, grownBytes, seconds }: AheadResult): Figure[] {
  const mib = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;
  const limit = highWaterMark + 32 * 1024 * 1024;
  return [
    {
      claim: `1,000 items of a producer that is busy for ${Math.round(busyMs / 1000)} s are got before that is over`,
      measured: `after ${gotMs.toFixed(0)} ms`,
      met: gotMs < busyMs / 2,
    },
    {
      claim: `a producer ${seconds} s ahead of a stopped consumer grows by at most ${mib(limit)}`,
      measured: mib(grownBytes),
      met: grownBytes <= limit,
    },
  ];
}

function sum(calls: Readonly<Record<string, number>>, names: readonly string[]): number {
  return names.reduce((total, name) => total + (calls[name] ?? 0), 0);
}

function syscallFigures(count: SyscallCount): Figure[] {
  if (count.style === 'two-processes') return [];
  // A message above 16 KiB is read to its place, after a read for its header, with reading ahead as well.
  const wanted = count.readAhead && count.sizeBytes <= 16 * KiB ? 1 : 2;
  const written = sum(count.calls, writes);
  const read = sum(count.calls, reads);
  return [
    {
      claim: `system calls per message, ${describe(count)}: 1 write, at most ${wanted} read${wanted === 1 ? '' : 's'}`,
      measured: `${written.toFixed(2)} and ${read.toFixed(2)}`,
      met: Math.abs(written - 1) <= tolerance && read <= wanted + tolerance,
    },
  ];
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
  for (const kind of kinds) {
    for (const peer of slowerThanAsync) {
      const claim = `async 64 B, ${kind}, by default: below ${peer}`;
      figures.push(...ratioFigure(lookup, claim, 'round-trip-64', `async-spin/${kind}`, peer, 1));
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
  for (const id of comparisonIds) {
    const results = probes.comparisons?.[id];
    if (results !== undefined) figures.push(...comparisonProbes[id].claims.map((claim) => judgeClaim(claim, results)));
  }
  if (probes.childMemory) {
    const more = median(probes.childMemory.map(({ ours, fork }) => ours - fork));
    figures.push({
      claim: 'a child has at most 3 MB more in its memory than one of fork',
      measured: `${(more / 1e6).toFixed(1)} MB`,
      met: more <= 3e6,
    });
  }
  if (probes.ahead) figures.push(...aheadFigures(probes.ahead));
  figures.push(...(probes.syscalls ?? []).flatMap(syscallFigures));
  return figures;
}
