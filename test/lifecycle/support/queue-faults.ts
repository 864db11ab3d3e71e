// SPDX-License-Identifier: MIT
import { expect } from 'chai';

import { runWithFaults } from './faults.js';

const WATCHDOG_MS = 600_000;

/**
 * Makes one system call after the other fail in a scene of children/queue-faults.ts: each time the queue is as before,
 * or the operation complete. Returns the calls that have failed.
 */
export async function expectWholeQueues(scene: string): Promise<readonly string[]> {
  const { faults, count, problems } = await runWithFaults('queue-faults', [scene], WATCHDOG_MS);
  expect(problems, problems.join('\n')).to.deep.equal([]);
  expect(count).to.be.greaterThan(0);
  return faults;
}
