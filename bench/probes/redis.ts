// SPDX-License-Identifier: MIT
//
// Jobs through a redis-server on loopback, from this process to a worker: `redis.js queue|joinable|batches|bullmq|bullmq-bulk
// <warm-up ms> <measured ms>`, per job that was added, done and marked as done. `wake` is the time from a put until a get
// that waits has the item, both in this process; `ping` is a round trip to the server. Both begin when all have slept.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Redis } from 'ioredis';
import * as mp from 'node-multiprocessing';
import { RedisJoinableQueue, RedisQueue } from 'node-multiprocessing/redis';

import { loadInstalled } from '../paths.js';
import { report, sample, timesFrom, type Times } from '../sampling.js';

/** How many jobs a round has. */
const JOBS = 500;
const BATCH = 100;

/** The parent's side: how many jobs there will be, and when they are done. */
type Control = mp.Connection<string, number>;

/** What adds jobs. */
type Producer = (jobs: number) => Promise<unknown>;

/** The part of BullMQ that is used here. */
interface BullMQ {
  Queue: new (name: string, options: object) => { add: BullAdd; addBulk(jobs: readonly object[]): Promise<unknown> };
  Worker: new (name: string, work: () => Promise<void>, options: object) => NodeJS.EventEmitter;
}
type BullAdd = (name: string, data: unknown, options: object) => Promise<unknown>;

const data = { path: '/a/b/c', size: 12345 };
const removed = { removeOnComplete: true };

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a server that keeps nothing. Resolves to its port, and what ends it. */
async function startServer(): Promise<{ port: number; end(): void }> {
  const port = await freePort();
  const folder = mkdtempSync(path.join(tmpdir(), 'mp-bench-redis-'));
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  const child = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const text of child.stdout) if (String(text).includes('Ready to accept connections')) break;
  return {
    port,
    end() {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true });
    },
  };
}

export async function work(control: Control, port: number, mode: string): Promise<void> {
  const take = mode.startsWith('bullmq') ? bullWorker(port, mode === 'bullmq' ? 1 : BATCH) : ourWorker(port, mode);
  await control.send('ready');
  for await (const jobs of control) {
    await take(jobs);
    await control.send('done');
  }
}

function ourWorker(port: number, mode: string): Producer {
  const options = { client: new Redis(port), name: 'jobs' };
  if (mode === 'queue') {
    const queue = new RedisQueue(options);
    return async (jobs) => {
      for (let i = 0; i < jobs; i++) await queue.get();
    };
  }
  const queue = new RedisJoinableQueue(options);
  if (mode === 'joinable') {
    return async (jobs) => {
      for (let i = 0; i < jobs; i++) {
        await queue.get();
        await queue.taskDone();
      }
    };
  }
  return async (jobs) => {
    for (let left = jobs; left > 0;) {
      const items = await queue.getMany(BATCH);
      left -= items.length;
      await Promise.all(items.map(() => queue.taskDone()));
    }
  };
}

function bullWorker(port: number, concurrency: number): Producer {
  const { Worker } = loadInstalled('bullmq') as BullMQ;
  let left = 0;
  let resolveDone = (): void => undefined;
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
  const worker = new Worker('jobs', () => Promise.resolve(), { connection, concurrency });
  worker.on('completed', () => {
    if (--left === 0) resolveDone();
  });
  return (jobs) =>
    new Promise<void>((resolve) => {
      left += jobs;
      resolveDone = resolve;
    });
}

function producer(port: number, mode: string): Producer {
  if (mode.startsWith('bullmq')) {
    const { Queue } = loadInstalled('bullmq') as BullMQ;
    const queue = new Queue('jobs', { connection: { host: '127.0.0.1', port } });
    if (mode === 'bullmq-bulk') {
      const job = { name: 'job', data, opts: removed };
      return (jobs) => queue.addBulk(Array.from({ length: jobs }, () => job));
    }
    return async (jobs) => {
      for (let i = 0; i < jobs; i++) await queue.add('job', data, removed);
    };
  }
  const options = { client: new Redis(port), name: 'jobs' };
  const queue = mode === 'queue' ? new RedisQueue(options) : new RedisJoinableQueue(options);
  if (mode === 'batches') return (jobs) => Promise.all(Array.from({ length: jobs }, () => queue.put(data)));
  return async (jobs) => {
    for (let i = 0; i < jobs; i++) await queue.put(data);
  };
}

async function measureJobs(port: number, mode: string, times: Times): Promise<void> {
  const [ours, theirs] = mp.Pipe() as unknown as [mp.Connection<number, string>, Control];
  const worker = new mp.Process({ module: import.meta.url, target: 'work', args: [theirs, port, mode], daemon: true });
  worker.start();
  theirs.close();
  const add = producer(port, mode);
  await ours.recv();
  const round = async (): Promise<void> => {
    // The worker counts before the first job comes.
    await ours.send(JOBS);
    await add(JOBS);
    await ours.recv();
  };
  report(await sample(times, 1, round, { operations: JOBS }));
  worker.kill();
  await worker.join();
}

/** Measures single operations, of which each begins when both processes have slept: what it returns ends with it. */
async function measureSingly({ warmUpNs, measuredNs }: Times, begin: () => () => Promise<unknown>): Promise<void> {
  const samples: number[] = [];
  const first = process.hrtime.bigint();
  while (process.hrtime.bigint() - first < warmUpNs + measuredNs || samples.length < 5) {
    const end = begin();
    await sleep(2);
    const begun = process.hrtime.bigint();
    await end();
    if (begun - first >= warmUpNs) samples.push(Number(process.hrtime.bigint() - begun));
  }
  report({ nsPerOperation: samples });
}

async function measureWakeUps(port: number, times: Times): Promise<void> {
  const consumer = new RedisQueue({ client: new Redis(port), name: 'one' });
  const other = new RedisQueue({ client: new Redis(port), name: 'one' });
  await measureSingly(times, () => {
    const got = consumer.get();
    return async () => {
      void other.put(data);
      await got;
    };
  });
}

async function main([mode = '', ...rest]: string[]): Promise<void> {
  const times = timesFrom(rest[0], rest[1]);
  const server = await startServer();
  try {
    if (mode === 'wake') {
      await measureWakeUps(server.port, times);
    } else if (mode === 'ping') {
      const client = new Redis(server.port);
      await client.ping();
      await measureSingly(times, () => () => client.ping());
    } else {
      await measureJobs(server.port, mode, times);
    }
  } finally {
    server.end();
  }
  process.exit();
}

if (mp.isMainProcess) await main(process.argv.slice(2));
