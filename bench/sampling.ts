// SPDX-License-Identifier: MIT
//
// How every program of the benchmark that runs in Node takes the time of what it measures.
import type { TrialOutput } from './job.js';
import { usageOfTree } from './usage.js';

const clock = process.hrtime.bigint;

/** The last two arguments of each program, which say how long it measures. */
export function timesFrom(warmUpMs: string | number = 0, measuredMs: string | number = 0): Times {
  return { warmUpNs: BigInt(warmUpMs) * 1_000_000n, measuredNs: BigInt(measuredMs) * 1_000_000n };
}

export interface Times {
  readonly warmUpNs: bigint;
  readonly measuredNs: bigint;
}

/** Times batches of `batch` runs of `operations` operations each, at least `least` batches. */
export async function sample(
  { warmUpNs, measuredNs }: Times,
  batch: number,
  run: (count: number) => unknown,
  { least = 5, operations = 1 }: { least?: number; operations?: number } = {},
): Promise<TrialOutput> {
  const samples: number[] = [];
  await warmUp(warmUpNs, () => run(batch));
  const before = usageOfTree();
  for (const end = clock() + measuredNs; samples.length < least || clock() < end;) {
    const begin = clock();
    await run(batch);
    samples.push(Number(clock() - begin) / batch / operations);
  }
  const after = usageOfTree();
  if (!before || !after) return { nsPerOperation: samples };
  const count = samples.length * batch * operations;
  return {
    nsPerOperation: samples,
    cpuNs: (after.cpuNs - before.cpuNs) / count,
    faults: (after.faults - before.faults) / count,
  };
}

/**
 * V8 compiles what runs often, bit by bit, and programs that share their processors with others get less done in a
 * time. So the warm-up lasts until the processes also had half of the processor time that they would have on one idle
 * core, but no longer than five times as long.
 */
async function warmUp(ns: bigint, run: () => unknown): Promise<void> {
  const begin = clock();
  const before = usageOfTree();
  const warm = () => {
    const lasted = clock() - begin;
    if (lasted < ns || !before) return lasted >= ns;
    const after = usageOfTree();
    return !after || after.cpuNs - before.cpuNs >= Number(ns) / 2 || lasted >= 5n * ns;
  };
  while (!warm()) await run();
}

export function report(output: TrialOutput): void {
  process.stdout.write(`${JSON.stringify(output)}\n`);
}
