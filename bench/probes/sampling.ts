// SPDX-License-Identifier: MIT
//
// How the programs of the comparisons take their time.
import type { TrialOutput } from '../job.js';

const clock = process.hrtime.bigint;

/** What behind a program's own arguments says how long it measures. */
export function timesFrom(warmUpMs: string | undefined, measuredMs: string | undefined): Times {
  return { warmUpNs: BigInt(warmUpMs ?? 0) * 1_000_000n, measuredNs: BigInt(measuredMs ?? 0) * 1_000_000n };
}

export interface Times {
  readonly warmUpNs: bigint;
  readonly measuredNs: bigint;
}

/** Times batches of `batch` operations: nanoseconds per operation, of at least `least` batches. */
export async function sample(
  { warmUpNs, measuredNs }: Times,
  batch: number,
  run: (count: number) => unknown,
  least = 5,
): Promise<number[]> {
  const samples: number[] = [];
  for (const end = clock() + warmUpNs; clock() < end;) await run(batch);
  for (const end = clock() + measuredNs; samples.length < least || clock() < end;) {
    const begin = clock();
    await run(batch);
    samples.push(Number(clock() - begin) / batch);
  }
  return samples;
}

export function report(nsPerOperation: number[]): void {
  process.stdout.write(`${JSON.stringify({ nsPerOperation } satisfies TrialOutput)}\n`);
}
