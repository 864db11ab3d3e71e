// SPDX-License-Identifier: MIT
//
// Hostile pickles: 10,000 here and 1,000,000 in the stress tests.
import { expectPicklesSurvived } from './support/pickle-survival.js';
import { freshSeed } from '../helpers/random.js';

describe('Hostile pickles', function () {
  const seed = freshSeed();
  it(`end in typed errors or in values, with bounded memory: 10,000 (SEED=${seed})`, async function () {
    await expectPicklesSurvived(10_000, seed, 50_000);
  });
});
