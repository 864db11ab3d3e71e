// SPDX-License-Identifier: MIT
//
// Queues and pools over a cluster of three nodes, among which their keys are divided.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { Cluster } from 'ioredis';
import { createCluster } from 'redis';
import { RedisJoinableQueue, RedisPool, RedisPoolWorker, type RedisClient } from 'node-multiprocessing/redis';

import { packageRoot, rejects } from '../helpers/index.js';
import { onRedis, serverVersion } from '../redis/support/server.js';

const PORTS = [7301, 7302, 7303];

/** So many that the nodes share them. */
const QUEUES = 6;

interface TestCluster {
  readonly client: RedisClient;
  close(): Promise<unknown>;
}

async function nodeRedis(RESP: 2 | 3): Promise<TestCluster> {
  const rootNodes = PORTS.map((port) => ({ url: `redis://127.0.0.1:${port}` }));
  const client = createCluster({ rootNodes, RESP });
  await client.connect();
  return { client, close: () => client.close() };
}

const clusters: Readonly<Record<string, () => Promise<TestCluster>>> = {
  'redis, RESP2': () => nodeRedis(2),
  'redis, RESP3': () => nodeRedis(3),
  ioredis: () => {
    const client = new Cluster(PORTS.map((port) => ({ host: '127.0.0.1', port })));
    return Promise.resolve({ client, close: () => client.quit() });
  },
};

describe(onRedis('Queues and pools over a cluster'), () => {
  const folder = mkdtempSync(join(tmpdir(), 'mp-cluster-'));
  const servers: ChildProcess[] = [];

  before(async function () {
    if (serverVersion === undefined) this.skip();
    for (const port of PORTS) {
      const own = mkdtempSync(join(folder, 'node-'));
      const options = [
        '--port',
        `${port}`,
        '--bind',
        '127.0.0.1',
        '--dir',
        own,
        '--save',
        '',
        '--cluster-enabled',
        'yes',
      ];
      const server = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] });
      servers.push(server);
      await once(server.stdout, 'data');
    }
    const nodes = PORTS.map((port) => `127.0.0.1:${port}`);
    for (;;) {
      const { status } = spawnSync('redis-cli', ['--cluster', 'create', ...nodes, '--cluster-yes']);
      if (status === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const state = (): string => spawnSync('redis-cli', ['-p', '7303', 'cluster', 'info'], { encoding: 'utf8' }).stdout;
    while (!state().includes('cluster_state:ok')) await new Promise((resolve) => setTimeout(resolve, 200));
  });

  after(async () => {
    for (const server of servers) {
      server.kill();
      await once(server, 'close');
    }
    rmSync(folder, { recursive: true });
  });

  for (const [kind, connect] of Object.entries(clusters)) {
    it(`work on every node (${kind})`, async () => {
      const { client, close } = await connect();
      for (let i = 0; i < QUEUES; i++) {
        const queue = new RedisJoinableQueue<string>({ client, name: `${kind} ${i}`, maxsize: 2, leaseTime: 1000 });
        const waiting = queue.get();
        await queue.put('first');
        expect(await waiting).to.equal('first');
        await queue.taskDone();
        await queue.put('x'.repeat(100_000));
        await (await queue.getLease()).release();
        const lease = await queue.getLease();
        expect(lease.deliveries).to.equal(2);
        const joined = queue.join();
        await lease.done();
        await joined;
        await queue.destroy();
        await queue.close();
      }
      const pool = new RedisPool({ client, name: kind, processes: 1 });
      const module = `${packageRoot}out/test/redis/children/tasks.js`;
      const worker = new RedisPoolWorker({ client, name: kind, module, target: 'double', processes: 1 });
      expect(await pool.map([1, 2, 3])).to.deep.equal([2, 4, 6]);
      await rejects(pool.apply([], { target: 'wait', signal: AbortSignal.timeout(500) }), { code: 'ABORT_ERR' });
      await pool.close();
      await worker.close();
      await close();
    });
  }
});
