// SPDX-License-Identifier: MIT
//
// Waiters and setters of an Event are killed and stopped in 20 rounds here, and in 400 in the stress tests.
import { freshSeed } from '../helpers/random.js';
import { expectEachRoundWakesAll } from './support/condition-loops.js';

describe('An Event whose members are killed and stopped at random moments', function () {
  const seed = freshSeed();
  it(`wakes all that wait, 20 times (SEED=${seed})`, async function () {
    this.timeout(300_000);
    await expectEachRoundWakesAll(20, seed);
  });
});
