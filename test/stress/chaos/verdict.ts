// SPDX-License-Identifier: MIT
import { entries, errorsIn, GOT, PUT, TORN } from './ledger.js';

/** What the ledger of a round shows. */
export interface Verdict {
  readonly put: number;
  readonly got: number;
  readonly torn: number;
  readonly duplicates: number;
  /** Items that a consumer got after a later one of the same producer. */
  readonly disordered: number;
  readonly lost: {
    /** Of a killed producer: accepted, and not written when it was killed. */
    readonly ofKilledProducers: number;
    /** Of other producers: at most one for each killed consumer is in order. */
    readonly inKilledConsumers: number;
    /** More than that. */
    readonly withoutReason: number;
  };
  /** How often each code was thrown. */
  readonly errors: Readonly<Record<string, number>>;
}

/** @param killed The members that were killed. */
export function judge(folder: string, killed: ReadonlySet<number>): Verdict {
  const accepted = new Map<number, number>();
  const seen = new Map<number, Set<number>>();
  const last = new Map<string, number>();
  const consumers = new Set<number>();
  let [got, torn, duplicates, disordered] = [0, 0, 0, 0];
  for (const { kind, member, producer, number } of entries(folder)) {
    if (kind === PUT) accepted.set(producer, number + 1);
    if (kind === TORN) torn++;
    if (kind !== GOT) continue;
    got++;
    consumers.add(member);
    let of = seen.get(producer);
    if (of === undefined) seen.set(producer, (of = new Set()));
    if (of.has(number)) duplicates++;
    of.add(number);
    const key = `${member} ${producer}`;
    if (number <= (last.get(key) ?? -1)) disordered++;
    last.set(key, number);
  }
  let [put, tails, singles] = [0, 0, 0];
  for (const [producer, count] of accepted) {
    put += count;
    const of = seen.get(producer) ?? new Set();
    // What a killed producer had not written is the end of what it put.
    const end = killed.has(producer) ? Math.max(-1, ...lastOf(of)) + 1 : count;
    tails += Math.max(0, count - end);
    for (let number = 0; number < Math.min(count, end); number++) if (!of.has(number)) singles++;
  }
  const mostSingles = [...killed].filter((member) => !accepted.has(member)).length;
  return {
    put,
    got,
    torn,
    duplicates,
    disordered,
    lost: {
      ofKilledProducers: tails,
      inKilledConsumers: Math.min(singles, mostSingles),
      withoutReason: Math.max(0, singles - mostSingles),
    },
    errors: countCodes(errorsIn(folder)),
  };
}

function lastOf(numbers: Set<number>): number[] {
  let most = -1;
  for (const number of numbers) most = Math.max(most, number);
  return [most];
}

function countCodes(lines: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of lines) {
    const code = line.split(' ')[1] ?? '';
    counts[code] = (counts[code] ?? 0) + 1;
  }
  return counts;
}
