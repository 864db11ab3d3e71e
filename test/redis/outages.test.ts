// SPDX-License-Identifier: MIT
//
// What a queue over Redis survives: the end of its consumers, and of Redis itself.
import { expect } from 'chai';
import type { MultiprocessingError } from 'node-multiprocessing';
import { RedisError, RedisJoinableQueue } from 'node-multiprocessing/redis';

import { rejects, within } from '../helpers/index.js';
import { freshSeed, Random } from '../helpers/random.js';
import { killMembers } from './support/campaign.js';
import { onRedis, ownServer } from './support/server.js';

const seed = freshSeed();

/** Repeats a call until Redis has done it. Returns how often that is not known of an attempt. */
async function repeat(call: () => Promise<unknown>): Promise<number> {
  for (let uncertain = 0; ;) {
    try {
      await call();
      return uncertain;
    } catch (error) {
      if (!(error instanceof RedisError)) throw error;
      if (error.uncertain) uncertain++;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** A producer and a consumer in this process, which repeat what fails. */
async function exchange(
  queue: RedisJoinableQueue<number>,
  count: number,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const got: number[] = [];
  let uncertain = 0;
  let ended = false;
  const consume = async (): Promise<void> => {
    while (!ended) {
      try {
        const lease = await queue.getLease({ timeout: 200 });
        got.push(lease.item);
        await repeat(() => lease.done());
      } catch (error) {
        // Nothing was there, Redis is not, or the lease has run out meanwhile.
        const { code } = error as MultiprocessingError;
        if (!['ERR_MP_EMPTY', 'ERR_MP_REDIS', 'ERR_MP_TASK_DONE'].includes(code)) throw error;
      }
    }
  };
  const consumers = [consume(), consume()];
  const outage = meanwhile();
  for (let i = 0; i < count; i++) uncertain += await repeat(() => queue.put(i));
  await outage;
  await within(
    60_000,
    repeat(() => queue.join()),
    'join',
  );
  ended = true;
  await Promise.all(consumers);
  const { put, recoveries, unfinished } = await queue.stats();
  expect([...new Set(got)].sort((a, b) => a - b)).to.deep.equal(Array.from({ length: count }, (_, i) => i));
  expect(unfinished).to.equal(0);
  // Only a put whose answer was lost is there twice, and only an item whose lease has run out was handed out twice.
  expect(put - count).to.be.within(0, uncertain);
  expect(got.length).to.be.within(put - recoveries, put + recoveries);
}

describe(onRedis('A queue over Redis'), () => {
  const server = ownServer(true);
  let number = 0;
  let queue: RedisJoinableQueue<number>;
  beforeEach(async () => {
    const { client } = await server.connect();
    queue = new RedisJoinableQueue({ client, name: `outage ${++number}`, leaseTime: 500 });
  });

  it('loses nothing when Redis is killed and started again with its log', async () => {
    const random = new Random(seed);
    await exchange(queue, 600, async () => {
      for (let i = 0; i < 3; i++) {
        await new Promise((resolve) => setTimeout(resolve, 50 + random.below(100)));
        await server.end('SIGKILL');
        await server.start();
      }
    });
    await queue.close();
  });

  it('loses nothing when Redis is paused for longer than the leases', async () => {
    await exchange(queue, 300, async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      server.signal('SIGSTOP');
      await rejects(queue.get({ timeout: 1000 }), { code: 'ERR_MP_EMPTY' });
      server.signal('SIGCONT');
    });
    await queue.close();
  });

  it('keeps a get and a join waiting while Redis is away', async () => {
    await queue.put(1);
    const joined = queue.join();
    const first = await queue.getLease();
    const waiting = queue.get();
    // The wait of the get is in Redis.
    await rejects(queue.get({ timeout: 100 }), { code: 'ERR_MP_EMPTY' });
    await server.end('SIGKILL');
    await server.start();
    await repeat(() => first.done());
    await within(30_000, joined, 'join');
    await repeat(() => queue.put(2));
    expect(await within(30_000, waiting, 'the get')).to.equal(2);
    await queue.close();
  });

  it('refuses items while Redis has no memory, and hands out and finishes those that it has', async () => {
    const { command } = await server.connect();
    for (let i = 0; i < 3; i++) await queue.put(i);
    const held = await queue.getLease();
    const { client } = await server.connect();
    const other = new RedisJoinableQueue<number>({ client, name: 'not made yet' });
    await command('CONFIG', 'SET', 'maxmemory', '1');
    try {
      const error = await rejects(queue.put(4), { code: 'ERR_MP_REDIS', uncertain: false });
      expect((error.cause as Error).message).to.include('OOM');
      // Regression: the error was that of the group for which there was no room.
      expect((await rejects(other.put(1), { code: 'ERR_MP_REDIS' })).message).to.include('OOM');
      await held.release();
      const again = await queue.getLease();
      expect([again.item, again.deliveries]).to.deep.equal([0, 2]);
      await again.done();
      expect(await queue.get()).to.equal(1);
      await queue.taskDone();
      expect(await queue.get({ timeout: 1000 })).to.equal(2);
      await rejects(queue.join({ timeout: 600 }), { code: 'ERR_MP_TIMEOUT' });
      await queue.taskDone();
      await within(30_000, queue.join(), 'join');
      await rejects(queue.getNowait(), { code: 'ERR_MP_EMPTY' });
    } finally {
      await command('CONFIG', 'SET', 'maxmemory', '0');
    }
    await other.put(1);
    await other.destroy();
    await queue.put(5);
    expect(await queue.get()).to.equal(5);
    expect(await queue.stats()).to.include({ put: 4, unfinished: 1 });
    await queue.shutdown();
    await queue.close();
  });

  it(`loses nothing when consumers and producers are killed (10 kills, SEED=${seed})`, async function () {
    // Each consumer is a process, which takes a second to start on a machine that does much else.
    this.timeout(240_000);
    await queue.close();
    await killMembers(server, { kills: 10 }, new Random(seed));
  });
});
