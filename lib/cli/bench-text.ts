// SPDX-License-Identifier: MIT
import type { Comparison } from './bench.js';
import { table } from './text.js';

/** A line for each way, and what was not there. */
export function showComparison({ bytes, measurements }: Comparison): string {
  const rows = measurements.flatMap(({ way, microseconds, tripsPerSecond }) =>
    microseconds === null || tripsPerSecond === null
      ? []
      : [[way, microseconds.toFixed(1), String(Math.round(tripsPerSecond))]],
  );
  const failed = measurements.flatMap(({ way, problem }) => (problem === null ? [] : [`${way}: ${problem}\n`]));
  const title = `Round trips of ${bytes} bytes, one after the other; medians of five rounds by turns.\n`;
  return [title, table([['WAY', 'MICROSECONDS', 'PER SECOND'], ...rows]), ...failed].join('\n');
}
