// SPDX-License-Identifier: MIT
//
// Contenders of a lock are killed at 20 random moments here, and at 1,000 in the stress tests.
import { expectNeverTwoHolders } from './support/lock-loops.js';
import { freshSeed } from '../helpers/random.js';

describe('Contenders of a lock that are killed at random moments', function () {
  const seed = freshSeed();
  it(`never leave two holders, and never leave the lock without one for ever, 20 times (SEED=${seed})`, async function () {
    this.timeout(300_000);
    await expectNeverTwoHolders(20, seed, 290_000);
  });
});
