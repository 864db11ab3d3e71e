// SPDX-License-Identifier: MIT
//
// Bytes that no friendly peer sends: 100 connections here and 10,000 in the stress tests.
import { expectSurvival } from './support/hostility.js';
import { freshSeed } from './support/random.js';

describe('Hostile bytes', function () {
  const seed = freshSeed();
  it(`end in typed errors, with bounded memory, on 100 connections (SEED=${seed})`, async function () {
    await expectSurvival(100, seed, 50_000);
  });
});
