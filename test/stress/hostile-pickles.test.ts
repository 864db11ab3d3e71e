// SPDX-License-Identifier: MIT
import { expectPicklesSurvived } from '../lifecycle/support/pickle-survival.js';
import { freshSeed } from '../helpers/random.js';

describe('Hostile pickles', function () {
  const seed = freshSeed();
  for (let part = 0; part < 10; part++) {
    it(`end in typed errors or in values, with bounded memory: 100,000 (SEED=${seed + part})`, async function () {
      await expectPicklesSurvived(100_000, seed + part, 1_200_000);
    });
  }
});
