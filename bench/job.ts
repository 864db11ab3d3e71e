// SPDX-License-Identifier: MIT
//
// The work of one trial, and its form on a command line.
//
// A trial is a program of its own in C, Python or JavaScript. It gets the job as plain arguments and answers with one
// line of JSON. All trials warm up and then time whole batches until the measured time is over. Only the parent's clock
// counts.

export type Mode = 'round-trip' | 'one-way';

export interface Job {
  readonly mode: Mode;
  readonly sizeBytes: number;
  /** Messages per timed batch. In a one-way run the child acknowledges each batch with one byte. */
  readonly batch: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

/** The line that every trial prints. An operation is a message or a round trip. */
export interface TrialOutput {
  /** Nanoseconds per operation of each measured batch. */
  readonly nsPerOperation: number[];
  /** Processor time of both ends, in nanoseconds per operation. Programs that cannot tell leave it out. */
  readonly cpuNs?: number;
  /** Page faults of both ends per operation. */
  readonly faults?: number;
}

export function jobToArguments(job: Job): string[] {
  return [job.mode, ...[job.sizeBytes, job.batch, job.warmUpMs, job.measuredMs].map(String)];
}

export function jobFromArguments([mode, ...numbers]: readonly string[]): Job {
  const [sizeBytes, batch, warmUpMs, measuredMs] = numbers.map(Number);
  if (
    (mode !== 'round-trip' && mode !== 'one-way') ||
    !sizeBytes ||
    !batch ||
    warmUpMs === undefined ||
    measuredMs === undefined
  ) {
    throw new TypeError('expected: round-trip|one-way size batch warm-up-ms measured-ms');
  }
  return { mode, sizeBytes, batch, warmUpMs, measuredMs };
}

/** Makes bytes that are neither text nor constant, so that no codec or memory trick gets an easy case. */
export function makePayload(sizeBytes: number): Buffer {
  // Not from the shared pool: a transfer or clone of a pooled Buffer would move the whole pool.
  const payload = Buffer.allocUnsafeSlow(sizeBytes);
  for (let i = 0, state = 1; i < sizeBytes; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    payload[i] = state >>> 24;
  }
  return payload;
}

/**
 * Memory in the middle of a page, as in the C program. Some processors copy several times more slowly between the
 * kernel's pages and large allocations, which begin at the start of a page.
 */
export function makeBuffer(size: number): Buffer {
  const offset = 2048;
  return Buffer.allocUnsafeSlow(offset + size).subarray(offset);
}
