// SPDX-License-Identifier: MIT
//
// What one trial has to do, and how it says so on a command line.
//
// A trial is a program of its own in C, Python or JavaScript, so the job travels as plain arguments and the answer
// comes back as one line of JSON. All programs warm up, then time whole batches until the measured time is over, with
// the parent's clock alone.

export type Mode = 'round-trip' | 'one-way';

export interface Job {
  readonly mode: Mode;
  readonly sizeBytes: number;
  /** Messages per timed batch. In a one-way run the child acknowledges each batch with one byte. */
  readonly batch: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

/** The line every trial prints: the nanoseconds per message (or per round trip) of each measured batch. */
export interface TrialOutput {
  readonly nsPerOperation: number[];
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

/** Bytes that are neither text nor constant, so that no codec or memory trick gets an easy case. */
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
 * Memory in the middle of a page, as the C program's is: between large allocations, which begin at the start of one, and the
 * kernel's pages some processors copy several times more slowly.
 */
export function makeBuffer(size: number): Buffer {
  const lead = 2048;
  return Buffer.allocUnsafeSlow(lead + size).subarray(lead);
}
