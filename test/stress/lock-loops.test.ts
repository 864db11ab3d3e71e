// SPDX-License-Identifier: MIT
import { expectEachRoundWakesAll } from '../lifecycle/support/condition-loops.js';
import {
  expectCancelledCleanly,
  expectExactCount,
  expectNeverTwoHolders,
  expectPythonServed,
  expectStoppedIsNotDead,
} from '../lifecycle/support/lock-loops.js';
import { freshSeed } from '../helpers/random.js';

describe('Locks in long loops', function () {
  it('lose none of the 10,000 increments of each of eight processes', function () {
    return expectExactCount(10_000, 170_000);
  });

  for (let part = 1; part <= 5; part++) {
    it(`are unchanged by 20,000 acquires that are given up (part ${part})`, function () {
      return expectCancelledCleanly(20_000, 170_000);
    });

    it(`serve a sleeping Python waiter 1,000 times (part ${part})`, function () {
      return expectPythonServed(1000);
    });
  }

  for (const call of ['acquire', 'acquireSync']) {
    it(`do not take a stopped holder for dead in ten seconds (${call})`, function () {
      return expectStoppedIsNotDead(false, call, 10_000);
    });
  }

  const seed = freshSeed();
  for (let part = 0; part < 20; part++) {
    it(`never have two holders in 50 random kills (SEED=${seed + part})`, function () {
      return expectNeverTwoHolders(50, seed + part, 170_000);
    });
  }

  for (let part = 0; part < 16; part++) {
    it(`wake all waiters of an Event in 25 rounds of kills and stops (SEED=${seed + part})`, function () {
      this.timeout(170_000);
      return expectEachRoundWakesAll(25, seed + part);
    });
  }
});
