// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';

import { expect } from 'chai';

import type { Kind } from './pools.js';

const PIECE = 64 * 1024;

/** How much a process may grow. Buffers that were received and are not collected yet are the largest part. */
const MOST_GROWTH = 96 * 2 ** 20;

function residentBytes(pid: number | 'self'): number {
  const [, kilobytes] = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kilobytes) * 1024;
}

/** Streams this many bytes in pieces, to a consumer that pauses now and then. Neither process may grow with them. */
export async function streamFlat(kind: Kind, bytes: number): Promise<void> {
  const pool = kind.make('blocks', { processes: 1 });
  await pool.ready();
  const { pid } = pool.stats().workers[0]!;
  const growth = { here: 0, there: 0 };
  let before: { readonly here: number; readonly there: number } | undefined;
  let received = 0;
  let count = 0;
  for await (const piece of pool.stream([bytes / PIECE, PIECE]) as AsyncIterable<Buffer>) {
    expect(piece.length).to.equal(PIECE);
    expect(piece[0]).to.equal(count % 256);
    received += piece.length;
    // The first pieces make what is kept for good.
    if (++count === 200) before = { here: residentBytes('self'), there: residentBytes(pid) };
    if (count % 100 > 0) continue;
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (before === undefined) continue;
    growth.here = Math.max(growth.here, residentBytes('self') - before.here);
    growth.there = Math.max(growth.there, residentBytes(pid) - before.there);
  }
  expect(received).to.equal(bytes);
  // Sanitizers keep what is freed for a while.
  if (process.env['NODE_MULTIPROCESSING_SANITIZER'] !== undefined) return;
  expect(growth.here, 'growth of this process').to.be.below(MOST_GROWTH);
  expect(growth.there, 'growth of the worker').to.be.below(MOST_GROWTH);
}
