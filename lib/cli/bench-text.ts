// SPDX-License-Identifier: MIT
import { availableParallelism, loadavg } from 'node:os';

import type { Comparison } from './bench.js';
import { table } from './text.js';

/** What takes the processors away from the programs that are measured, and with them the meaning of the numbers. */
function otherWork(): string[] {
  const [load = 0] = loadavg();
  const processors = availableParallelism();
  if (load <= processors) return [];
  return [
    `Other work takes the processors (load average ${load.toFixed(1)} on ${processors} processors): these numbers say little.\n`,
  ];
}

/** A line for each way, what was not there, and whether other work was in the way. */
export function showComparison({ bytes, measurements }: Comparison): string {
  const rows = measurements.flatMap(({ way, microseconds, tripsPerSecond }) =>
    microseconds === null || tripsPerSecond === null
      ? []
      : [[way, microseconds.toFixed(1), String(Math.round(tripsPerSecond))]],
  );
  const failed = measurements.flatMap(({ way, problem }) => (problem === null ? [] : [`${way}: ${problem}\n`]));
  const title = `Round trips of ${bytes} bytes, one after the other; medians of five rounds by turns.\n`;
  return [title, table([['WAY', 'MICROSECONDS', 'PER SECOND'], ...rows]), ...failed, ...otherWork()].join('\n');
}
