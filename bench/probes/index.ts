// SPDX-License-Identifier: MIT
import type { TrialOutput } from '../job.js';
import type { Options } from '../options.js';
import { compiledModule } from '../paths.js';
import { runForJson } from '../run-program.js';
import { median } from '../statistics.js';
import { compare, comparisonIds, type ComparisonId, type ComparisonResult } from './comparisons.js';
import type { AheadResult } from './ahead.js';
import type { ChildMemory } from './child-memory.js';
import type { MemoryCost, MemoryResult } from './idle-memory.js';
import { countSyscalls, whyNoSyscalls, type SyscallCount } from './syscalls.js';

export type ProbeId = ComparisonId | 'memory' | 'wake-up' | 'child-memory' | 'ahead' | 'syscalls';

export const probeIds: readonly ProbeId[] = [
  'memory',
  'wake-up',
  ...comparisonIds,
  'child-memory',
  'ahead',
  'syscalls',
];

/** Nanoseconds per wake-up, one value per repetition. */
export interface WakeUpResult {
  readonly connections: number;
  readonly alone: readonly number[];
  readonly among: readonly number[];
  /** As `among`, but each wake-up is for another connection. */
  readonly rotating: readonly number[];
}

export interface ProbeResults {
  comparisons?: Partial<Record<ComparisonId, ComparisonResult>>;
  ahead?: AheadResult;
  childMemory?: readonly ChildMemory[];
  memory?: MemoryResult;
  wakeUp?: WakeUpResult;
  syscalls?: readonly SyscallCount[];
}

export interface ProbeOutcome {
  readonly results: ProbeResults;
  readonly skipped: readonly string[];
  readonly failures: readonly string[];
}

const connections = 1000;

/** Runs the measurements of this package alone, each in fresh processes as the trials are. */
export async function runProbes(
  ids: readonly ProbeId[],
  options: Options,
  folder: string,
  progress: (line: string) => void,
): Promise<ProbeOutcome> {
  const results: ProbeResults = {};
  const skipped: string[] = [];
  const failures: string[] = [];
  const probes: Record<ProbeId, () => Promise<void>> = {
    memory: async () => {
      results.memory = await measureMemory(options.repetitions, progress);
    },
    'wake-up': async () => {
      results.wakeUp = await measureWakeUp(options, progress);
    },
    ...comparing((id) => async () => {
      const result = await compare(id, options, progress, (line) => skipped.push(line));
      results.comparisons = { ...results.comparisons, [id]: result };
    }),
    'child-memory': async () => {
      results.childMemory = await measureChildMemory(options.repetitions, progress);
    },
    ahead: async () => {
      results.ahead = await measureAhead(options, progress);
    },
    syscalls: async () => {
      const reason = whyNoSyscalls();
      if (reason === undefined) results.syscalls = await countSyscalls(folder, progress);
      else skipped.push(`system calls: ${reason}`);
    },
  };
  for (const id of ids) {
    try {
      await probes[id]();
    } catch (error) {
      failures.push(`${id}: ${(error as Error).message}`);
    }
  }
  return { results, skipped, failures };
}

/** One entry for each comparison. */
function comparing(make: (id: ComparisonId) => () => Promise<void>): Record<ComparisonId, () => Promise<void>> {
  return Object.fromEntries(comparisonIds.map((id) => [id, make(id)])) as Record<ComparisonId, () => Promise<void>>;
}

async function measureChildMemory(repetitions: number, progress: (line: string) => void): Promise<ChildMemory[]> {
  const runs: ChildMemory[] = [];
  for (let i = 0; i < repetitions; i++) {
    progress(`memory of a child ${i + 1} of ${repetitions}`);
    runs.push((await runForJson([process.execPath, compiledModule('probes/child-memory')])) as ChildMemory);
  }
  return runs;
}

/** How far the producer may run ahead of the consumer, in seconds. */
const AHEAD_SECONDS = 30;

async function measureAhead({ measuredMs }: Options, progress: (line: string) => void): Promise<AheadResult> {
  // A quick run only shows that the probe works.
  const seconds = measuredMs < 100 ? 1 : AHEAD_SECONDS;
  progress(`a producer that runs ahead for ${seconds} s`);
  return (await runForJson(
    [process.execPath, compiledModule('probes/ahead'), String(seconds)],
    seconds,
  )) as AheadResult;
}

async function measureMemory(repetitions: number, progress: (line: string) => void): Promise<MemoryResult> {
  const runs: MemoryResult[] = [];
  // A small young generation keeps its growth, up to 16 MiB by default, out of the resident set.
  const command = [
    process.execPath,
    '--expose-gc',
    '--max-semi-space-size=1',
    compiledModule('probes/idle-memory'),
    String(connections),
  ];
  for (let i = 0; i < repetitions; i++) {
    progress(`memory of idle connections ${i + 1} of ${repetitions}`);
    runs.push((await runForJson(command)) as MemoryResult);
  }
  const medianOf = (stage: keyof MemoryResult['stages']): MemoryCost => ({
    residentBytes: median(runs.map((run) => run.stages[stage].residentBytes)),
    heapBytes: median(runs.map((run) => run.stages[stage].heapBytes)),
  });
  return { connections, stages: { open: medianOf('open'), used: medianOf('used'), receiving: medianOf('receiving') } };
}

async function measureWakeUp(options: Options, progress: (line: string) => void): Promise<WakeUpResult> {
  const result = { connections, alone: [] as number[], among: [] as number[], rotating: [] as number[] };
  const wake = async (pending: number, order: 'same' | 'rotating'): Promise<number> => {
    const args = [pending, order, options.measuredMs].map(String);
    const output = (await runForJson([process.execPath, compiledModule('probes/wake-up'), ...args])) as TrialOutput;
    return median(output.nsPerOperation);
  };
  for (let i = 0; i < options.repetitions; i++) {
    progress(`cost of a wake-up ${i + 1} of ${options.repetitions}`);
    result.alone.push(await wake(1, 'same'));
    result.among.push(await wake(connections, 'same'));
    result.rotating.push(await wake(connections, 'rotating'));
  }
  return result;
}
