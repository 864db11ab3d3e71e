// SPDX-License-Identifier: MIT
import type { TrialOutput } from '../job.js';
import type { Options } from '../options.js';
import { compiledModule, peerSource } from '../paths.js';
import { runForJson } from '../run-program.js';
import { median } from '../statistics.js';
import type { MemoryCost, MemoryResult } from './idle-memory.js';
import { countSyscalls, whyNoSyscalls, type SyscallCount } from './syscalls.js';

export type ProbeId = 'memory' | 'wake-up' | 'locks' | 'syscalls';

/** Nanoseconds per wake-up, one value per repetition. */
export interface WakeUpResult {
  readonly connections: number;
  readonly alone: readonly number[];
  readonly among: readonly number[];
  /** As `among`, but another connection each time. */
  readonly rotating: readonly number[];
}

/** Nanoseconds per acquire and release, or per hand-over, one value per repetition. */
export type LockResult = Readonly<Record<'uncontended' | 'handOver', Readonly<Record<string, readonly number[]>>>>;

export interface ProbeResults {
  locks?: LockResult;
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

/** The measurements that are about us alone, each in fresh processes like the trials. */
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
    locks: async () => {
      results.locks = await measureLocks(options, progress);
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

async function measureLocks(options: Options, progress: (line: string) => void): Promise<LockResult> {
  const ours = [process.execPath, compiledModule('probes/locks')];
  const cpython = ['python3', peerSource('cpython_locks.py')];
  const runs = [
    { figure: 'uncontended', who: 'ours', command: [...ours, 'uncontended'] },
    { figure: 'uncontended', who: 'CPython', command: [...cpython, 'uncontended'] },
    { figure: 'handOver', who: 'ours, sync', command: [...ours, 'sync'] },
    { figure: 'handOver', who: 'ours, async', command: [...ours, 'async'] },
    { figure: 'handOver', who: 'CPython', command: [...cpython, 'hand-over'] },
  ] as const;
  const results: Record<'uncontended' | 'handOver', Record<string, number[]>> = { uncontended: {}, handOver: {} };
  for (let i = 0; i < options.repetitions; i++) {
    progress(`locks ${i + 1} of ${options.repetitions}`);
    for (const { figure, who, command } of runs) {
      const times = [options.warmUpMs, options.measuredMs].map(String);
      const output = (await runForJson([...command, ...times])) as TrialOutput;
      (results[figure][who] ??= []).push(median(output.nsPerOperation));
    }
  }
  return results;
}
