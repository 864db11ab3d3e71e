// SPDX-License-Identifier: MIT
//
// As lifecycle/aborted-calls.test.ts, for what is over Redis.
import { expect } from 'chai';
import { RedisJoinableQueue, RedisPool, RedisQueue } from 'node-multiprocessing/redis';

import { joining, putting, theyEndWhenAborted, type Cases, type Scene } from '../helpers/aborted-calls.js';
import { abortableCalls } from '../helpers/declarations.js';
import { rejects, turns, within } from '../helpers/index.js';
import { onRedis, ownServer } from './support/server.js';

type Args = (signal: AbortSignal) => readonly unknown[];

const options: Args = (signal) => [{ signal }];

describe(onRedis('A call over Redis that takes a signal ends when the signal aborts'), () => {
  const server = ownServer();
  let number = 0;

  async function optionsOf(): Promise<{ client: never; name: string }> {
    const { client } = await server.connect();
    return { client: client as never, name: `aborted ${number++}` };
  }

  /** A queue without items, and another member that puts one. */
  function getting<Q extends RedisQueue<number>>(
    Queue: new (options: never) => Q,
    args: Args,
    next: (queue: Q) => Promise<unknown>,
    expected: unknown,
  ): () => Promise<Scene> {
    return async () => {
      const member = await optionsOf();
      const [queue, producer] = [new Queue(member as never), new Queue(member as never)];
      return {
        on: queue,
        needsTimers: true,
        args,
        supply: () => producer.put(1),
        next: async () => expect(await next(queue)).to.deep.equal(expected),
        close: () => Promise.all([queue.close(), producer.close()]),
      };
    };
  }

  const cases: Cases = {
    'RedisQueue.put': async () => {
      const queue = new RedisQueue<number>({ ...(await optionsOf()), maxsize: 1 });
      return { ...(await putting(queue, () => queue.close())), needsTimers: true };
    },
    'RedisQueue.get': getting(RedisQueue<number>, options, (queue) => queue.get(), 1),
    'RedisQueue.getMany': getting(
      RedisQueue<number>,
      (signal) => [2, { signal }],
      (queue) => queue.getMany(2),
      [1],
    ),
    'RedisJoinableQueue.getLease': getting(
      RedisJoinableQueue<number>,
      options,
      async (queue) => (await queue.getLease()).item,
      1,
    ),
    'RedisJoinableQueue.join': async () => {
      const queue = new RedisJoinableQueue<number>(await optionsOf());
      return { ...(await joining(queue, () => queue.close())), needsTimers: true };
    },
  };

  theyEndWhenAborted(cases, abortableCalls('redis'));

  it('RedisPool, whose tasks no worker takes', async () => {
    const pool = new RedisPool(await optionsOf());
    const input = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) };
    const calls: ((signal: AbortSignal) => Promise<unknown>)[] = [
      (signal) => pool.apply([], { signal }),
      (signal) => pool.map([1], { signal }),
      (signal) => pool.map(input, { signal }),
      (signal) => pool.imap([1], { signal }).next(),
      (signal) => pool.imap(input, { signal }).next(),
    ];
    for (const call of calls) {
      await rejects(call(AbortSignal.abort()), { code: 'ABORT_ERR' });
      const controller = new AbortController();
      const failure = rejects(call(controller.signal), { code: 'ABORT_ERR' });
      await turns();
      controller.abort();
      await within(60_000, failure, 'the aborted call');
    }
    expect(pool.stats()).to.include({ queued: 0, running: 0 });
    await pool.terminate();
  });
});
