// SPDX-License-Identifier: MIT
import { expect } from 'chai';

import { within } from '../helpers/index.js';
import { endPools, kinds, Lines } from './support/pools.js';
import { streamFlat } from './support/pool-streams.js';

for (const kind of kinds) {
  describe(`Streams of a ${kind.name}`, () => {
    afterEach(endPools);

    it('keep memory flat: 192 MiB in pieces of 64 KiB', async function () {
      this.timeout(120_000);
      await streamFlat(kind, 192 * 2 ** 20);
    });

    // Regression: only the last of several calls learnt of the end.
    it('end for every call of return()', async () => {
      const items = kind.make('count', { processes: 1 }).stream([1e9]);
      await items.next();
      const ends = await within(60_000, Promise.all([items.return(), items.return()]), 'both calls');
      expect(ends.map(({ done }) => done)).to.deep.equal([true, true]);
    });

    // Regression: the generator was begun again, by another worker, and no caller was left to end it.
    it('end when the worker dies while they are closed, whatever the retries', async () => {
      const pool = kind.make('wait_until_cancelled', { processes: 1, killTimeout: 600_000 });
      const lines = new Lines(pool);
      const items = pool.stream([], { retries: 3 });
      const first = items.next();
      const pid = Number((await lines.next(/^begun/)).line.split(' ')[1]);
      const closed = items.return();
      process.kill(pid, 'SIGKILL');
      await within(60_000, closed, 'return()');
      expect((await first).done).to.equal(true);
      expect(pool.stats()).to.include({ running: 0, queued: 0, retried: 0 });
    });
  });
}
