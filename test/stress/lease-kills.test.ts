// SPDX-License-Identifier: MIT
import { expectNothingLost } from '../lifecycle/support/lease-loops.js';
import { freshSeed, Random } from '../helpers/random.js';

describe('Queues with leases in long loops', function () {
  const seed = freshSeed();
  for (let part = 0; part < 10; part++) {
    it(`lose no item in 30 random kills (SEED=${seed + part})`, async function () {
      await expectNothingLost(30, new Random(seed + part));
    });
  }
});
