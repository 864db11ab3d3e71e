// SPDX-License-Identifier: MIT
import { endPools, kinds } from './support/pools.js';
import { streamFlat } from './support/pool-streams.js';

for (const kind of kinds) {
  describe(`Streams of a ${kind.name}`, () => {
    afterEach(endPools);

    it('keep memory flat: 192 MiB in pieces of 64 KiB', async function () {
      this.timeout(120_000);
      await streamFlat(kind, 192 * 2 ** 20);
    });
  });
}
