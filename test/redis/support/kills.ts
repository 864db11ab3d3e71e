// SPDX-License-Identifier: MIT
import { expect } from 'chai';
import { RedisJoinableQueue } from 'node-multiprocessing/redis';

import { nodePeer, spawnPeer, within, packageRoot, type Peer } from '../../helpers/index.js';
import type { Random } from '../../helpers/random.js';
import type { RedisServer } from './server.js';

const CONSUMERS = 3;

function startConsumer(server: RedisServer, name: string): Peer {
  const file = `${packageRoot}out/test/redis/children/consumer.js`;
  return spawnPeer({ ...nodePeer(''), args: [file] }, { args: [`${server.port}`, name], watchdogMs: 600_000 });
}

/** Kills consumers at random moments, and asserts that each item is handed out, and again only after a kill. */
export async function expectNothingLost(server: RedisServer, kills: number, random: Random): Promise<void> {
  const { client } = await server.connect();
  const name = `kills ${random.below(1_000_000)}`;
  const queue = new RedisJoinableQueue<number>({ client, name, leaseTime: 500 });
  let put = 0;
  const deliveries = new Map<number, number>();
  let printed = 0;
  const oneLife = async (): Promise<void> => {
    const consumer = startConsumer(server, name);
    for (let left = 1 + random.below(8); left > 0; left--) {
      let came = false;
      const line = consumer.line().finally(() => (came = true));
      // Other consumers get items too.
      do {
        await queue.put(put++);
        await Promise.race([line, new Promise((resolve) => setTimeout(resolve, 50))]);
      } while (!came);
      note(await line);
    }
    // Somewhere in the next items.
    const more = [queue.put(put++), queue.put(put++)];
    await new Promise((resolve) => setTimeout(resolve, random.below(4)));
    consumer.kill();
    await consumer.exit;
    for (;;) {
      const line = await consumer.line().catch(() => undefined);
      if (line === undefined) break;
      note(line);
    }
    await Promise.all(more);
  };
  const note = (line: string): void => {
    const [item, count] = line.split(' ').map(Number) as [number, number];
    deliveries.set(item, Math.max(count, deliveries.get(item) ?? 0));
    printed++;
  };
  let left = kills;
  const crew = Array.from({ length: CONSUMERS }, async () => {
    while (left-- > 0) await oneLife();
  });
  await Promise.all(crew);
  const last = startConsumer(server, name);
  await within(120_000, queue.join(), 'join');
  const { unfinished, leased, depth, recoveries, put: counted } = await queue.stats();
  await queue.shutdown();
  for (const line of (await last.succeeded()).split('\n').filter((text) => text !== '')) note(line);
  expect({ unfinished, leased, depth, counted }).to.deep.equal({ unfinished: 0, leased: 0, depth: 0, counted: put });
  // A consumer that is killed before it prints an item has not finished it, so each item was printed.
  expect([...deliveries.keys()].sort((a, b) => a - b)).to.deep.equal(Array.from({ length: put }, (_, i) => i));
  expect(printed - put, 'items that were handed out twice').to.be.within(0, recoveries);
  await queue.destroy();
  await queue.close();
}
