// SPDX-License-Identifier: MIT
import { freshSeed, Random } from '../helpers/random.js';
import { killMembers } from '../redis/support/campaign.js';
import { withRedis } from '../redis/support/pythons.js';
import { onRedis, ownServer } from '../redis/support/server.js';

const KILLS = 1000;
const PARTS = 10;

describe(onRedis('Queues over Redis in long loops'), function () {
  this.timeout(1_200_000);
  // Each test starts its server anew.
  const server = ownServer(true);
  const seed = freshSeed();
  const pythons = withRedis().map(([python]) => python);
  for (let part = 0; part < PARTS; part++) {
    const title = `lose no item in ${KILLS / PARTS} kills of consumers and producers, with outages (SEED=${seed + part})`;
    it(title, async () => {
      const outages = ['restart', 'pause', 'restart'] as const;
      const text = await killMembers(server, { kills: KILLS / PARTS, pythons, outages }, new Random(seed + part));
      console.log(`      ${text}`);
    });
  }
});
