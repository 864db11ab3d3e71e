// SPDX-License-Identifier: MIT
//
// interop/python/node_multiprocessing_redis over redis-py, with each Python that has it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';
import { RedisJoinableQueue, RedisQueue } from 'node-multiprocessing/redis';

import { packageRoot, pythonPeer, spawnPeer, within } from '../helpers/index.js';
import { withRedis } from './support/pythons.js';
import { onRedis, ownServer } from './support/server.js';

const found = withRedis();

describe('node_multiprocessing_redis', () => {
  it('has the script of the package, without its comments', () => {
    const read = (file: string): string => readFileSync(join(packageRoot, file), 'utf8');
    const script = read('lib/adapters/redis/script.lua')
      .replace(/^ *--.*\n/gm, '')
      .trimStart();
    expect(read('interop/python/node_multiprocessing_redis/script.py')).to.include(`SCRIPT = '''\\\n${script}'''\n`);
  });

  if (found.length === 0) it('is not run: no Python has redis-py (apt-get install python3-redis)');
});

for (const [python, version] of found) {
  describe(onRedis(`node_multiprocessing_redis with Python ${python.version} and redis-py ${version}`), () => {
    const server = ownServer();
    const start = (role: string, name: string): ReturnType<typeof spawnPeer> =>
      spawnPeer(pythonPeer(python, 'redis_peer'), { args: [server.address, role, name] });

    it('has the behaviour of multiprocessing.JoinableQueue', async () => {
      await start('semantics', 'python').succeeded();
    });

    it('exchanges items with Node in JSON, until Node shuts the queue down', async () => {
      const { client } = await server.connect();
      const jobs = new RedisJoinableQueue<number>({ client, name: 'jobs', serialization: 'json' });
      const results = new RedisQueue<{ item: number; double: number }>({ client, name: 'jobs-out' });
      const peers = [start('double', 'jobs'), start('double', 'jobs')];
      for (let i = 0; i < 50; i++) await jobs.put(i);
      await within(60_000, jobs.join(), 'join');
      const got: number[] = [];
      while (got.length < 50) {
        for (const { item, double } of await within(60_000, results.getMany(100), 'results')) {
          expect(double).to.equal(2 * item);
          got.push(item);
        }
      }
      expect(got.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 50 }, (_, i) => i));
      await jobs.shutdown();
      for (const peer of peers) await peer.succeeded();
      await Promise.all([jobs.close(), results.close()]);
    });

    it('gives an item of a killed Python process to Node', async () => {
      const { client } = await server.connect();
      const jobs = new RedisJoinableQueue<string>({ client, name: 'kept', serialization: 'json', leaseTime: 300 });
      await jobs.put('item');
      const peer = start('keep', 'kept');
      expect(await peer.line()).to.equal('item');
      peer.kill();
      const lease = await within(60_000, jobs.getLease(), 'the item');
      expect([lease.item, lease.deliveries]).to.deep.equal(['item', 2]);
      await lease.done();
      await jobs.close();
    });
  });
}
