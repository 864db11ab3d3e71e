// SPDX-License-Identifier: MIT
import { freshSeed } from '../helpers/random.js';
import { harmWorkers, endInTheMiddle } from '../lifecycle/support/pool-loops.js';
import { streamFlat } from '../lifecycle/support/pool-streams.js';
import { endPools, kinds } from '../lifecycle/support/pools.js';

for (const kind of kinds) {
  describe(`A ${kind.name}`, () => {
    afterEach(endPools);
    const seed = freshSeed();

    for (const retries of [0, 2]) {
      it(`settles every task while 10000 workers are harmed (retries ${retries}, seed ${seed})`, async () => {
        const { replaced, ...counts } = await harmWorkers(kind, seed + retries, 10_000, retries);
        const times = replaced.sort((a, b) => a - b);
        const quantile = (part: number): string => `${Math.round(times[Math.floor(times.length * part)] ?? 0)} ms`;
        console.log(counts, `replaced after ${quantile(0.5)} (median), ${quantile(0.99)} (99%)`);
      });
    }

    it(`settles every task while 200 pools end in the middle (seed ${seed})`, async () => {
      for (let i = 0; i < 200; i++) await endInTheMiddle(kind, seed + i);
    });

    it('streams 1 GiB in pieces of 64 KiB with flat memory', async () => {
      await streamFlat(kind, 2 ** 30);
    });
  });
}
