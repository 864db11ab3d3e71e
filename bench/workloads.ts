// SPDX-License-Identifier: MIT
import type { Mode } from './job.js';

export interface Workload {
  readonly id: string;
  readonly title: string;
  readonly mode: Mode;
  readonly sizeBytes: number;
  /**
   * The number that makes a batch last some milliseconds: long beside the clock's cost, short beside the measured time.
   */
  readonly batch: number;
  /** Both processes share one core: without the cost of waking another core, the work itself is left. */
  readonly oneCore?: boolean;
}

const KiB = 1024;
const MiB = 1024 * KiB;

export const workloads: readonly Workload[] = [
  { id: 'round-trip-64', title: 'Round trip, 64 B', mode: 'round-trip', sizeBytes: 64, batch: 100 },
  {
    id: 'round-trip-64-one-core',
    title: 'Round trip, 64 B, both processes on one core',
    mode: 'round-trip',
    sizeBytes: 64,
    batch: 200,
    oneCore: true,
  },
  { id: 'latency-64', title: 'Round trip, 64 B, each timed by itself', mode: 'round-trip', sizeBytes: 64, batch: 1 },
  { id: 'round-trip-64k', title: 'Round trip, 64 KiB', mode: 'round-trip', sizeBytes: 64 * KiB, batch: 50 },
  { id: 'round-trip-1m', title: 'Round trip, 1 MiB', mode: 'round-trip', sizeBytes: MiB, batch: 5 },
  { id: 'one-way-64', title: 'One way, 64 B', mode: 'one-way', sizeBytes: 64, batch: 2000 },
  { id: 'one-way-32k', title: 'One way, 32 KiB', mode: 'one-way', sizeBytes: 32 * KiB, batch: 200 },
  { id: 'one-way-1m', title: 'One way, 1 MiB', mode: 'one-way', sizeBytes: MiB, batch: 10 },
];
