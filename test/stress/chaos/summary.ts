// SPDX-License-Identifier: MIT
//
// The results of many rounds as one row of a table.
import type { RoundResult } from './round.js';

/** The sums of the rounds of one system. */
export class Summary {
  readonly name: string;
  rounds = 0;
  kills = 0;
  stops = 0;
  put = 0;
  got = 0;
  hangs = 0;
  torn = 0;
  duplicates = 0;
  disordered = 0;
  lostWithProducer = 0;
  lostInConsumer = 0;
  lostWithoutReason = 0;
  countedLost: number | undefined;
  seconds = 0;
  readonly accounts: string[] = [];
  readonly errors = new Map<string, number>();
  readonly #recoveries: number[] = [];

  constructor(name: string) {
    this.name = name;
  }

  add(round: RoundResult): void {
    const { blows, lost } = round;
    this.rounds++;
    this.kills += blows.SIGKILL + blows.SIGTERM;
    this.stops += blows.SIGSTOP;
    this.put += round.put;
    this.got += round.got;
    this.hangs += round.hangs;
    this.torn += round.torn;
    this.duplicates += round.duplicates;
    this.disordered += round.disordered;
    this.lostWithProducer += lost.ofKilledProducers;
    this.lostInConsumer += lost.inKilledConsumers;
    // After a hang the items that are on their way are not lost yet.
    if (round.hangs === 0) this.lostWithoutReason += lost.withoutReason;
    if (round.countedLost !== undefined) this.countedLost = (this.countedLost ?? 0) + round.countedLost;
    this.seconds += round.seconds;
    this.accounts.push(...round.accounts);
    for (const [code, count] of Object.entries(round.errors)) {
      this.errors.set(code, (this.errors.get(code) ?? 0) + count);
    }
    this.#recoveries.push(...round.recoveries);
  }

  /** The time to recovery, in milliseconds, that this part of the blows did not exceed. */
  recovery(part: number): number {
    const sorted = [...this.#recoveries].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
  }

  /** What must not be, in sentences; empty if all invariants hold. */
  get violations(): string[] {
    const found = [
      ...count(this.hangs, 'hangs'),
      ...count(this.torn, 'torn items'),
      ...count(this.duplicates, 'items that came twice'),
      ...count(this.disordered, 'items behind later ones of their producer'),
      ...count(this.lostWithoutReason, 'items lost that were in the hands of no killed member'),
      ...[...this.errors].map(([code, times]) => `${times} times ${code}`),
      ...this.accounts,
    ];
    return found.map((each) => `${this.name}: ${each}`);
  }

  get line(): string {
    const { name, rounds, kills, stops, hangs, put, got, violations } = this;
    const times = `recovery ${this.recovery(0.5).toFixed(0)} ms (p50), ${this.recovery(0.99).toFixed(0)} ms (p99)`;
    const lost = `lost ${this.lostWithProducer} with producers, ${this.lostInConsumer} in consumers`;
    return (
      `${name}: ${rounds} rounds, ${kills} kills, ${stops} stops, ${put} put, ${got} got, ${lost}, ` +
      `${hangs} hangs, ${times}, ${this.seconds.toFixed(0)} s, ${violations.length} violations`
    );
  }
}

function count(number: number, what: string): string[] {
  return number === 0 ? [] : [`${number} ${what}`];
}
