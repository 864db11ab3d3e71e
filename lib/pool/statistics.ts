// SPDX-License-Identifier: MIT
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** A distribution of times, in milliseconds. */
export interface TimeSummary {
  /** How many times were recorded. The other values are 0 if there are none. */
  readonly count: number;
  /** The shortest. */
  readonly min: number;
  /** The average. */
  readonly mean: number;
  /** Half of the times are at most this. */
  readonly p50: number;
  /** 90 % of the times are at most this. */
  readonly p90: number;
  /** 99 % of the times are at most this. */
  readonly p99: number;
  /** The longest. */
  readonly max: number;
}

/** Collects times. */
export class Times {
  readonly #histogram: RecordableHistogram = createHistogram();

  /** @param ms The time in milliseconds. */
  record(ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(ms * 1000)));
  }

  summary(): TimeSummary {
    const histogram = this.#histogram;
    const { count } = histogram;
    const ms = (micros: number): number => (count === 0 ? 0 : micros / 1000);
    const percentile = (percent: number): number => ms(histogram.percentile(percent));
    return {
      count,
      min: ms(histogram.min),
      mean: ms(histogram.mean),
      p50: percentile(50),
      p90: percentile(90),
      p99: percentile(99),
      max: ms(histogram.max),
    };
  }
}
