// SPDX-License-Identifier: MIT
import { execFileSync } from 'node:child_process';

import { expect } from 'chai';

import { freshSeed } from '../helpers/random.js';
import { harmWorkers, endInTheMiddle } from './support/pool-loops.js';
import { endPools, kinds } from './support/pools.js';

const HARMS = 25;

for (const kind of kinds) {
  describe(`A ${kind.name} under load`, () => {
    afterEach(endPools);

    const seed = freshSeed();
    for (const retries of [0, 2]) {
      it(`settles every task once while workers die (retries ${retries}, seed ${seed})`, async function () {
        this.timeout(120_000);
        const { results, killed, exited } = await harmWorkers(kind, seed + retries, HARMS, retries);
        expect(results).to.be.above(0);
        // With retries a task fails only if three workers die in it.
        if (retries === 0) expect(killed + exited).to.be.above(0);
      });
    }

    it(`settles every task when it is closed or terminated (seed ${seed})`, async function () {
      this.timeout(60_000);
      for (let i = 0; i < 4; i++) await endInTheMiddle(kind, seed + i);
    });

    it('reads a result that was written before its worker died', async () => {
      const pool = kind.make('answer_and_die', { processes: 1 });
      const pid = await pool.apply([], { target: kind.target('pid') });
      const call = pool.apply([]);
      await new Promise((resolve) => setImmediate(resolve));
      // Nothing is read here until the worker is dead. It is a zombie then.
      const dead = `until grep -q 'State:.Z' /proc/${pid}/status; do sleep 0.01; done`;
      execFileSync('sh', ['-c', dead], { timeout: 60_000 });
      expect(await call).to.equal('answered');
      expect(await pool.apply([1, 2], { target: kind.target('add') })).to.equal(3);
    });
  });
}
