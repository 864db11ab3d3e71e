// SPDX-License-Identifier: MIT
import { expectSurvival } from '../lifecycle/support/hostile-bytes.js';
import { freshSeed } from '../helpers/random.js';

describe('Hostile bytes', function () {
  const seed = freshSeed();
  for (let part = 0; part < 10; part++) {
    it(`end in typed errors, with bounded memory, on 1,000 connections (SEED=${seed + part})`, async function () {
      await expectSurvival(1000, seed + part, 600_000);
    });
  }
});
