// SPDX-License-Identifier: MIT
//
// The figures that the project promises, and whether the measurements meet them.
import { aims, type Aim } from './aims.js';
import type { AheadResult } from './probes/ahead.js';
import type { Claim } from './probes/comparison.js';
import { comparisonIds, comparisonProbes, type ComparisonResult } from './probes/comparisons.js';
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

/** Bytes one idle connection may cost. */
const idleLimitBytes = 4096;
/** "The same" has to allow for noise. */
const wakeLimit = 1.15;

/** The peer of these with the lowest median, by whose samples ours are divided. */
function fastest(candidates: readonly Measurement[], samplesOf: (of: Measurement) => readonly number[]) {
  const told = candidates.filter((candidate) => samplesOf(candidate).length > 0);
  return told.sort((a, b) => median(samplesOf(a)) - median(samplesOf(b)))[0];
}

function judgeAim({ claim, workload, ours, theirs, limit, cpu }: Aim, measurements: readonly Measurement[]): Figure[] {
  const samplesOf = (of: Measurement): readonly number[] => (cpu ? of.cpuMicros : of.micros);
  const here = measurements.filter((found) => found.workload === workload);
  const our = here.find(({ trial }) => trial === ours);
  const their = fastest(
    here.filter(({ trial }) => theirs.some((prefix) => trial.startsWith(prefix))),
    samplesOf,
  );
  if (!our || !their || samplesOf(our).length === 0) return [];
  const ratio = summarizeRatios(samplesOf(our), samplesOf(their));
  const beside = theirs.length > 1 || their.trial !== theirs[0] ? `, ${their.trial}` : '';
  return [{ claim, measured: `${formatRatio(ratio)}${beside}`, met: ratio.median <= limit }];
}

function judgeClaim(
  { claim, operation, ours, theirs, limit, extraNs = 0 }: Claim,
  results: ComparisonResult,
): Figure[] {
  const { [ours]: our, [theirs]: their } = results[operation] ?? {};
  if (our === undefined || their === undefined) return [];
  const ratio = summarizeRatios(our, their);
  const allowed = summarizeRatios(
    our,
    their.map((ns) => limit * ns + extraNs),
  );
  return [{ claim, measured: formatRatio(ratio), met: allowed.median <= 1 }];
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
  const figures = aims.flatMap((aim) => judgeAim(aim, measurements));
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
    if (results !== undefined)
      figures.push(...comparisonProbes[id].claims.flatMap((claim) => judgeClaim(claim, results)));
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
