// SPDX-License-Identifier: MIT
import { expectExactlyOnce, expectNobodyHangs, makePassAndDrop } from '../lifecycle/support/queue-loops.js';
import { freshSeed } from '../helpers/random.js';

describe('Queues in long loops', function () {
  const seed = freshSeed();
  for (const maxsize of [1, 7, 0]) {
    it(`carry 100,000 items exactly once (maxsize ${maxsize}, SEED=${seed})`, function () {
      return expectExactlyOnce(25_000, maxsize, seed);
    });
  }

  for (let part = 0; part < 10; part++) {
    it(`leave no member waiting for ever in 50 random kills (SEED=${seed + part})`, async function () {
      await expectNobodyHangs(50, seed + part);
    });
  }

  for (let part = 1; part <= 100; part++) {
    it(`leave nothing behind when 100 are made, passed on and dropped (part ${part})`, function () {
      return makePassAndDrop(100);
    });
  }
});
