// SPDX-License-Identifier: MIT
import { jobToArguments, type TrialOutput } from './job.js';
import { oneCorePrefix } from './machine.js';
import type { Options } from './options.js';
import { compiledModule } from './paths.js';
import { runForJson } from './run-program.js';
import { median, quantile } from './statistics.js';
import { isProgramTrial, type Trial } from './trials/trial.js';
import type { Workload } from './workloads.js';

/** One peer under one workload. */
export interface Measurement {
  readonly workload: string;
  readonly trial: string;
  /** Microseconds per round trip or per one-way message: the median batch of each repetition, in order. */
  readonly micros: number[];
  /** The 99th of 100 batches of each repetition. */
  readonly p99Micros: number[];
  /** Microseconds of processor time of both ends per operation. Empty if the peer does not tell. */
  readonly cpuMicros: number[];
  /** Page faults of both ends per operation. Empty if the peer does not tell. */
  readonly faults: number[];
}

export interface SuiteResult {
  readonly measurements: readonly Measurement[];
  /** What was not measured because this machine lacks something, with the reason. */
  readonly skipped: readonly string[];
  /** Trials that should have worked and did not. */
  readonly failures: readonly string[];
}

/**
 * Runs every trial once per repetition, so that a slow spell of the machine hits all peers instead of one.
 *
 * @param folder Where peers may put what they build.
 * @param progress Called with a line to show before each trial.
 */
export async function runSuite(
  trials: readonly Trial[],
  workloads: readonly Workload[],
  options: Options,
  folder: string,
  progress: (line: string) => void,
): Promise<SuiteResult> {
  const skipped: string[] = [];
  const failures: string[] = [];
  const able = trials.filter((trial) => {
    const reason = isProgramTrial(trial) ? trial.prepare(folder) : trial.needs?.();
    if (reason !== undefined) skipped.push(`${trial.label}: ${reason}`);
    return reason === undefined;
  });
  const oneCore = oneCorePrefix();
  const possible = workloads.filter((workload) => {
    const runs = !workload.oneCore || oneCore !== undefined;
    if (!runs) skipped.push(`${workload.title}: needs taskset`);
    return runs;
  });

  let pairs = possible.flatMap((workload) =>
    able.filter((trial) => takesPart(trial, workload)).map((trial) => ({ workload, trial, ...noSamples() })),
  );
  for (let repetition = 0; repetition < options.repetitions; repetition++) {
    for (const pair of startingAt(pairs, repetition)) {
      const { workload, trial } = pair;
      progress(`repetition ${repetition + 1} of ${options.repetitions}: ${workload.title}: ${trial.label}`);
      try {
        const prefix = workload.oneCore ? (oneCore ?? []) : [];
        const job = { ...workload, warmUpMs: options.warmUpMs, measuredMs: options.measuredMs };
        const command = [...prefix, ...commandOf(trial, folder), ...jobToArguments(job)];
        const { nsPerOperation, cpuNs, faults } = (await runForJson(command)) as TrialOutput;
        pair.micros.push(median(nsPerOperation) / 1000);
        pair.p99Micros.push(quantile(nsPerOperation, 0.99) / 1000);
        if (cpuNs !== undefined) pair.cpuMicros.push(cpuNs / 1000);
        if (faults !== undefined) pair.faults.push(faults);
      } catch (error) {
        failures.push(`${trial.label}, ${workload.title}: ${(error as Error).message}`);
        // The other repetitions would fail as well, and the ratios need a sample from each repetition.
        pairs = pairs.filter((other) => other !== pair);
      }
    }
  }
  const measurements = pairs.map(({ workload, trial, ...samples }) => ({
    workload: workload.id,
    trial: trial.id,
    ...samples,
  }));
  return { measurements, skipped, failures };
}

function noSamples(): Pick<Measurement, 'micros' | 'p99Micros' | 'cpuMicros' | 'faults'> {
  return { micros: [], p99Micros: [], cpuMicros: [], faults: [] };
}

function takesPart(trial: Trial, workload: Workload): boolean {
  return trial.workloads === undefined || trial.workloads.includes(workload.id);
}

/** Rotates the trials, so that none always follows the same neighbour. */
function startingAt<T>(list: readonly T[], repetition: number): T[] {
  const start = list.length === 0 ? 0 : (repetition * 5) % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

function commandOf(trial: Trial, folder: string): readonly string[] {
  return isProgramTrial(trial)
    ? trial.command(folder)
    : [trial.node ?? process.execPath, compiledModule('driver'), trial.id];
}
