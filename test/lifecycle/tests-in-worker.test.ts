// SPDX-License-Identifier: MIT
//
// Faults of the field that were mended and have no test of their own in a worker thread: the package has most of its state once
// for each environment, and a worker has an environment of its own.
import { expect } from 'chai';

import { spawnPeer } from '../helpers/index.js';
import { child } from './support/programs.js';

/** Files of tests, with parts of titles; all tests of a file without. */
const selection: Record<string, readonly string[]> = {
  'unit/buffers': [],
  'unit/iterators': [],
  'unit/listener': ['temporary folder'],
  'unit/message-limits': [],
  'unit/platform-objects': [],
  'unit/tickets': [],
  'unit/values': [],
  'interop/python-process-end': ['exit code that Python would have', 'joinSync() reads'],
  'interop/queue-connections': ['arrives'],
  'interop/queue-long-items': ['makes one get fail'],
  'lifecycle/event-pulse': ['ends all waits'],
  'lifecycle/pool-ends': ['killed in a task'],
  'lifecycle/process-basics': ['with pipes'],
  'lifecycle/process-errors': ['has its', 'no error'],
  'lifecycle/process-failures': ['number of each signal'],
  'lifecycle/stopped-waiters': ['also after further notifications'],
};

describe('Tests of mended faults', () => {
  it('pass in a worker thread', async () => {
    const peer = spawnPeer(child('tests-in-worker'), { args: [JSON.stringify(selection)] });
    const output = await peer.succeeded();
    const { passed, failures } = JSON.parse(output.trim().split('\n').at(-1) as string) as {
      passed: Record<string, number>;
      failures: string[];
    };
    expect(failures).to.deep.equal([]);
    for (const [name, count] of Object.entries(passed)) expect(count, name).to.be.greaterThan(0);
    expect(Object.keys(passed)).to.deep.equal(Object.keys(selection));
  }).timeout(300_000);
});
