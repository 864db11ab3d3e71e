// SPDX-License-Identifier: MIT
export interface Summary {
  readonly median: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
}

/** The value below which `fraction` of the samples lie, interpolated between neighbours. */
export function quantile(samples: readonly number[], fraction: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const position = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new RangeError('no samples');
  return below + (above - below) * (position - Math.floor(position));
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** Median and quartiles: on a machine with neighbours a mean describes these more than the subject. */
export function summarize(samples: readonly number[]): Summary {
  return { median: median(samples), lowerQuartile: quantile(samples, 0.25), upperQuartile: quantile(samples, 0.75) };
}

/**
 * Summarizes the quotients of samples of the same repetition.
 *
 * Such samples share the state of the machine, so a quotient per repetition is steadier than the quotient of two
 * medians.
 */
export function summarizeRatios(numerators: readonly number[], denominators: readonly number[]): Summary {
  const ratios = numerators.slice(0, denominators.length).map((value, i) => value / (denominators[i] ?? NaN));
  return summarize(ratios);
}
