// SPDX-License-Identifier: MIT
//
// A master that is killed, and the replica that Sentinel makes master. Replication is asynchronous: what the replica did not have
// yet is lost with the master. Nothing else may be.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { Redis } from 'ioredis';
import { RedisJoinableQueue } from 'node-multiprocessing/redis';

import { within } from '../helpers/index.js';
import { untilAnswered } from '../redis/support/campaign.js';
import { onRedis, serverVersion } from '../redis/support/server.js';

const [MASTER, REPLICA, SENTINEL] = [7311, 7312, 7313] as const;
const ITEMS = 300;
/** Items that the replica is known to have, and how many are put before the master is killed. */
const CONFIRMED = 130;
const KILL_AT = 150;

describe(onRedis('A queue over Redis with Sentinel'), function () {
  this.timeout(600_000);
  const folder = mkdtempSync(join(tmpdir(), 'mp-sentinel-'));
  const servers = new Map<number, ChildProcess>();

  async function start(port: number, ...options: string[]): Promise<void> {
    const own = mkdtempSync(join(folder, 'server-'));
    const common = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', own];
    const child = spawn('redis-server', [...options, ...common], { stdio: ['ignore', 'pipe', 'inherit'] });
    servers.set(port, child);
    await once(child.stdout, 'data');
  }

  async function end(port: number): Promise<void> {
    const child = servers.get(port);
    if (child === undefined) return;
    servers.delete(port);
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
  }

  async function untilLinked(): Promise<void> {
    const replica = new Redis({ port: REPLICA, host: '127.0.0.1' });
    while (!(await replica.info('replication')).includes('master_link_status:up')) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    replica.disconnect();
    const sentinel = new Redis({ port: SENTINEL, host: '127.0.0.1' });
    while (((await sentinel.call('SENTINEL', 'replicas', 'queues')) as unknown[]).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    sentinel.disconnect();
  }

  before(function () {
    if (serverVersion === undefined) this.skip();
  });

  // Not for the suite: the test ends what it is given.
  beforeEach(async () => {
    const save = ['--save', ''];
    await start(MASTER, ...save);
    await start(REPLICA, ...save, '--replicaof', '127.0.0.1', `${MASTER}`);
    const config = join(folder, 'sentinel.conf');
    const settings = [
      `sentinel monitor queues 127.0.0.1 ${MASTER} 1`,
      'sentinel down-after-milliseconds queues 500',
      'sentinel failover-timeout queues 5000',
    ];
    writeFileSync(config, `${settings.join('\n')}\n`);
    await start(SENTINEL, config, '--sentinel');
    await untilLinked();
  });

  afterEach(async () => {
    for (const port of [...servers.keys()]) await end(port);
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  it('loses what the replica did not have, and nothing else', async () => {
    const clients: Redis[] = [];
    const connect = (): Redis => {
      const sentinels = [{ host: '127.0.0.1', port: SENTINEL }];
      const client = new Redis({ sentinels, name: 'queues', maxRetriesPerRequest: null, retryStrategy: () => 50 });
      client.on('error', () => undefined);
      clients.push(client);
      return client;
    };
    const make = (client: Redis): RedisJoinableQueue<number> =>
      new RedisJoinableQueue<number>({ client, name: 'failover', serialization: 'json', leaseTime: 1000 });
    const producing = connect();
    const [producer, consumer] = [make(producing), make(connect())];
    const got = new Map<number, number>();
    const consumed = (async () => {
      try {
        for (;;) {
          const lease = await untilAnswered(() => consumer.getLease());
          got.set(lease.item, (got.get(lease.item) ?? 0) + 1);
          await untilAnswered(() => lease.done()).catch(() => undefined);
        }
      } catch {
        // Shut down.
      }
    })();
    const put = async (from: number, to: number): Promise<void> => {
      for (let item = from; item < to; item++) await untilAnswered(() => producer.put(item));
    };
    await put(0, CONFIRMED);
    expect(await producing.wait(1, 0)).to.equal(1);
    await put(CONFIRMED, KILL_AT);
    await end(MASTER);
    await put(KILL_AT, ITEMS);
    await within(
      120_000,
      untilAnswered(() => producer.join()),
      'join',
    );
    await untilAnswered(() => producer.shutdown());
    await within(60_000, consumed, 'the consumer');
    const missing = Array.from({ length: ITEMS }, (_, i) => i).filter((item) => !got.has(item));
    expect(missing.filter((item) => item < CONFIRMED || item >= KILL_AT)).to.deep.equal([]);
    const again = [...got.values()].filter((times) => times > 1).length;
    console.log(`      ${ITEMS} items, ${missing.length} lost with the master, ${again} handed out again`);
    await Promise.all([producer.close(), consumer.close()]);
    for (const client of clients) client.disconnect();
  });
});
