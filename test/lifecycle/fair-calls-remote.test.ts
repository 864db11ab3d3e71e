// SPDX-License-Identifier: MIT
//
// As fair-calls.test.ts, for managers and what is over Redis. The methods are found in the declarations, so a new one needs its
// call here. Calls over a network let timers run by themselves; those of closed objects and of objects in memory do not.
import { expect } from 'chai';
import { ManagedEvent, ManagedLock, ManagedQueue, ManagerClient, ManagerServer } from 'node-multiprocessing/managers';
import { RedisJoinableQueue, RedisPoolWorker, RedisQueue } from 'node-multiprocessing/redis';

import { awayRedis } from '../helpers/away-redis.js';
import { asyncMethods } from '../helpers/declarations.js';
import { ownTmpdir, timersDuring } from '../helpers/index.js';

type Call = () => Promise<unknown>;

type Ints = ManagedQueue<number>;

const authkey = Buffer.from('key');
const notify = { timeout: 0 };

const remote = { client: awayRedis, name: 'fair' };

/** The calls of a queue that is closed. */
async function queueCalls(queue: RedisQueue<number>, name: string): Promise<Record<string, Call>> {
  await queue.close();
  return {
    [`${name}.put`]: () => queue.put(1),
    [`${name}.putNowait`]: () => queue.putNowait(1),
    [`${name}.put_nowait`]: () => queue.put_nowait(1),
    [`${name}.get`]: () => queue.get(),
    [`${name}.getNowait`]: () => queue.getNowait(),
    [`${name}.get_nowait`]: () => queue.get_nowait(),
    [`${name}.getMany`]: () => queue.getMany(1),
    [`${name}.qsize`]: () => queue.qsize(),
    [`${name}.empty`]: () => queue.empty(),
    [`${name}.full`]: () => queue.full(),
    [`${name}.stats`]: () => queue.stats(),
    [`${name}.shutdown`]: () => queue.shutdown(),
    [`${name}.destroy`]: () => queue.destroy(),
    [`${name}.close`]: () => queue.close(),
    [`${name}.asyncDispose`]: () => queue[Symbol.asyncDispose](),
    [`${name}.asyncIterator`]: () => queue[Symbol.asyncIterator]().next(),
    [`${name}.batches`]: () => queue.batches(1).next(),
  };
}

async function managerCalls(): Promise<Record<string, Call>> {
  const queue = new ManagedQueue<number>(1);
  queue.putNowait(1);
  const [empty, finished, iterated] = [1, 2, 3].map(() => new ManagedQueue<number>()) as [Ints, Ints, Ints];
  const [held, event] = [new ManagedLock(), new ManagedEvent()];
  await held.acquire();
  event.set();
  const server = new ManagerServer({ authkey });
  server.register('get_queue', queue);
  const manager = await ManagerClient.connect({ address: server.address, authkey });
  const proxy = await manager.create('get_queue');
  await proxy.close();
  await manager.close();
  server.close();
  return {
    'ManagedQueue.put': () => queue.put(2, notify),
    'ManagedQueue.get': () => empty.get(notify),
    'ManagedQueue.join': () => finished.join(),
    'ManagedQueue.asyncIterator': () => {
      iterated.putNowait(1);
      return iterated[Symbol.asyncIterator]().next();
    },
    'ManagedLock.acquire': () => held.acquire(notify),
    'ManagedEvent.wait': () => event.wait(),
    'ManagerServer.serve': () => server.serve(undefined as never),
    'ManagerServer.asyncDispose': () => server[Symbol.asyncDispose](),
    'ManagerClient.connect': () => ManagerClient.connect(5 as never),
    'ManagerClient.create': () => manager.create('get_queue'),
    'ManagerClient.numberOfObjects': () => manager.numberOfObjects(),
    'ManagerClient.debugInfo': () => manager.debugInfo(),
    'ManagerClient.shutdown': () => manager.shutdown(),
    'ManagerClient.close': () => manager.close(),
    'ManagerClient.asyncDispose': () => manager[Symbol.asyncDispose](),
    'ManagerProxy.call': () => proxy.call('qsize'),
    'ManagerProxy.close': () => proxy.close(),
    'ManagerProxy.asyncDispose': () => proxy[Symbol.asyncDispose](),
  };
}

async function redisCalls(): Promise<Record<string, Call>> {
  const joinable = new RedisJoinableQueue<number>(remote);
  const worker = new RedisPoolWorker({ ...remote, module: import.meta.url, target: 'none', processes: 1 });
  await worker.ready().catch(() => undefined);
  await worker.terminate();
  return {
    ...(await queueCalls(new RedisQueue<number>(remote), 'RedisQueue')),
    ...(await queueCalls(joinable, 'RedisJoinableQueue')),
    'RedisJoinableQueue.getLease': () => joinable.getLease(),
    'RedisJoinableQueue.taskDone': () => joinable.taskDone(),
    'RedisJoinableQueue.task_done': () => joinable.task_done(),
    'RedisJoinableQueue.join': () => joinable.join(),
    'RedisPoolWorker.ready': () => worker.ready(),
    'RedisPoolWorker.close': () => worker.close(),
    'RedisPoolWorker.terminate': () => worker.terminate(),
    'RedisPoolWorker.asyncDispose': () => worker[Symbol.asyncDispose](),
  };
}

describe('A loop of awaits lets timers run, with managers and over Redis', () => {
  ownTmpdir();

  for (const [entry, makeCalls] of [
    ['managers', managerCalls],
    ['redis', redisCalls],
  ] as const) {
    it(`node-multiprocessing/${entry}`, async () => {
      const calls = await makeCalls();
      expect(Object.keys(calls).sort()).to.deep.equal(
        asyncMethods(entry)
          .map(({ of, name }) => `${of}.${name}`)
          .sort(),
      );
      const unfair: string[] = [];
      for (const [name, call] of Object.entries(calls)) {
        if ((await timersDuring(call, 3, 100_000)) < 3) unfair.push(name);
      }
      expect(unfair).to.deep.equal([]);
    });
  }
});
