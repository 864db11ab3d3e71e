// SPDX-License-Identifier: MIT
import { expect } from 'chai';
import { activeChildren, Lock, Pipe } from 'node-multiprocessing';

import type { AnyConnection } from '../../helpers/index.js';
import * as targets from '../children/process-targets.js';
import { processOf, startWith } from './processes.js';

/** What the collector may have left for later after hundreds of processes. */
const MOST_GROWTH = 24 * 1024 * 1024;

/**
 * Starts and joins processes one after the other, each with a pipe and a lock of its own. The hook after the test
 * checks that nothing stays.
 */
export async function expectEndedWell(count: number): Promise<void> {
  let before = 0;
  for (let i = 0; i < count; i++) {
    const lock = new Lock();
    const [reader, writer] = Pipe(false) as unknown as [AnyConnection, AnyConnection];
    const child = processOf(targets.sendNumber, [writer, i, lock]);
    child.start();
    writer.close();
    expect(await reader.recv()).to.equal(i);
    expect(await child.join()).to.equal(true);
    reader.close();
    lock.close();
    if (i === Math.floor(count / 10)) before = process.memoryUsage.rss();
  }
  expect(activeChildren()).to.have.length(0);
  expect(process.memoryUsage.rss() - before).to.be.below(MOST_GROWTH);
}

/** Starts all processes, talks with all, and joins all. */
export async function expectManyAtOnce(count: number): Promise<void> {
  const lock = new Lock();
  const all = Array.from({ length: count }, () => startWith(targets.holdLock, [lock]));
  const held = all.map(async ({ connection }) => {
    expect(await connection.recv()).to.equal('held');
    await connection.send('let go');
  });
  await Promise.all(held);
  expect(await Promise.all(all.map(({ child }) => child.join()))).to.deep.equal(all.map(() => true));
  expect(all.map(({ child }) => child.exitcode)).to.deep.equal(all.map(() => 0));
  lock.close();
}
