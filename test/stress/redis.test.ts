// SPDX-License-Identifier: MIT
import { freshSeed, Random } from '../helpers/random.js';
import { expectNothingLost } from '../redis/support/kills.js';
import { onRedis, ownServer } from '../redis/support/server.js';

describe(onRedis('Queues over Redis in long loops'), function () {
  this.timeout(600_000);
  const server = ownServer();
  const seed = freshSeed();
  for (let part = 0; part < 10; part++) {
    it(`lose no item in 100 kills of consumers (SEED=${seed + part})`, async function () {
      await expectNothingLost(server, 100, new Random(seed + part));
    });
  }
});
