// SPDX-License-Identifier: MIT
//
// lock-cancel mixed <descriptor> <count>: makes `count` acquires of a Semaphore, most of which are given up in some
// way.
// lock-cancel many: waits for 300 semaphores at once. Both print the threads and the memory at the end.
import { readdirSync } from 'node:fs';

import { attach, Semaphore, type SemLockDescriptor } from 'node-multiprocessing';

import { turns } from '../../helpers/assertions.js';

const [mode, descriptor, count] = process.argv.slice(2) as [string, string, string];

function threads(): number {
  return readdirSync('/proc/self/task').length;
}

function say(what: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

const outcomes: Record<string, number> = {};

/** Gives back what was taken, and counts the outcome of the acquire. */
async function settle(semaphore: Semaphore, pending: Promise<boolean>): Promise<void> {
  let outcome: string;
  try {
    outcome = (await pending) ? 'taken' : 'late';
    if (outcome === 'taken') semaphore.release();
  } catch (error) {
    outcome = (error as { code: string }).code;
  }
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
}

async function mixed(): Promise<void> {
  const address = JSON.parse(descriptor) as SemLockDescriptor & { type: 'Semaphore' };
  const semaphore = attach(address);
  const batch = async (): Promise<void> => {
    const closing = attach(address);
    const all: Promise<void>[] = [];
    for (let i = 0; i < 50; i++) {
      const way = i % 5;
      const controller = new AbortController();
      if (way < 2) all.push(settle(semaphore, semaphore.acquire({ signal: controller.signal })));
      else if (way < 4) all.push(settle(semaphore, semaphore.acquire({ timeout: way === 2 ? 0.1 : 1 })));
      // The semaphore may be closed by then. The handle itself must lose nothing in that case.
      else all.push(settle(semaphore, closing.acquire()));
      if (way === 0) controller.abort();
      if (way === 1) {
        setImmediate(() => {
          controller.abort();
        });
      }
    }
    await turns(1);
    closing.close();
    await Promise.all(all);
  };
  const batches = Math.ceil(Number(count) / 50);
  const warm = Math.ceil(batches / 4);
  for (let i = 0; i < warm; i++) await batch();
  const before = { threads: threads(), rss: process.memoryUsage.rss() };
  for (let i = warm; i < batches; i++) await batch();
  const after = { threads: threads(), rss: process.memoryUsage.rss() };
  say({ threads: after.threads - before.threads, rss: after.rss - before.rss, outcomes });
}

async function many(): Promise<void> {
  const first = new Semaphore(0);
  const warm = first.acquire();
  first.release();
  await warm;
  await turns();
  const before = threads();
  const all = Array.from({ length: 300 }, () => new Semaphore(0));
  const waits = all.map((semaphore) => semaphore.acquire());
  await turns();
  const extra = threads() - before;
  // The last ones first: those are in the shards that were started last.
  for (const semaphore of [...all].reverse()) semaphore.release();
  const results = await Promise.all(waits);
  say({ extra, served: results.filter(Boolean).length, left: all.reduce((sum, each) => sum + each.value, 0) });
  for (const semaphore of [first, ...all]) semaphore.close();
}

await (mode === 'many' ? many() : mixed());
