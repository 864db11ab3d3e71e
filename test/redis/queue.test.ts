// SPDX-License-Identifier: MIT
//
// Queues over a real Redis, with each client: the behaviour that they share with local queues, and what is their own.
import { expect } from 'chai';
import { RedisJoinableQueue, RedisQueue, type RedisClient } from 'node-multiprocessing/redis';

import { neverThrowing, RANGE, TYPE } from '../helpers/arguments.js';
import { refuses, rejects, throws, turns, within } from '../helpers/index.js';
import { clientKinds, onRedis, ownServer } from './support/server.js';

type Options = Partial<ConstructorParameters<typeof RedisQueue>[0]>;

for (const kind of clientKinds) {
  describe(onRedis(`A RedisQueue with ${kind}`), () => {
    const server = ownServer();
    const queues: RedisQueue[] = [];
    let client: RedisClient;
    let number = 0;
    beforeEach(async () => {
      ({ client } = await server.connect(kind));
      number++;
    });
    // Before the client is closed.
    const close = async (): Promise<void> => {
      for (const queue of queues.splice(0)) await queue.close();
    };

    function make<T>(options: Options = {}): RedisQueue<T> {
      const queue = new RedisQueue<T>({ client, name: `queue ${number}`, ...options } as never);
      queues.push(queue);
      return queue;
    }
    function makeJoinable<T>(options: Options = {}): RedisJoinableQueue<T> {
      const queue = new RedisJoinableQueue<T>({ client, name: `queue ${number}`, ...options } as never);
      queues.push(queue);
      return queue;
    }
    const works = (title: string, body: () => Promise<void>, kinds = clientKinds): void => {
      if (!kinds.includes(kind)) return;
      it(title, async () => {
        try {
          await body();
        } finally {
          await close();
        }
      });
    };

    works('returns items in the order in which they were put, awaited or not', async () => {
      const [producer, consumer] = [make<number>(), make<number>()];
      const puts = [producer.put(1), producer.put(2), producer.putNowait(3)];
      await Promise.all(puts);
      await producer.put(4);
      expect([await consumer.get(), await consumer.getNowait()]).to.deep.equal([1, 2]);
      expect(await consumer.getMany(10)).to.deep.equal([3, 4]);
    });

    works('gives an item to the get that has waited longest, and to other members', async () => {
      const [producer, consumer, other] = [make<number>(), make<number>(), make<number>()];
      const gets = [consumer.get(), consumer.get()];
      for (const item of [1, 2]) await producer.put(item);
      expect(await within(30_000, Promise.all(gets), 'the gets')).to.deep.equal([1, 2]);
      const waiting = [consumer.get(), other.get()];
      await Promise.all([producer.put(3), producer.put(4)]);
      expect(await within(30_000, Promise.all(waiting), 'two members')).to.have.members([3, 4]);
    });

    works('carries what structured clones can hold, every byte, and large items', async () => {
      const [producer, consumer] = [make(), make()];
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      const values = [
        new Map([[1n, new Date(5)]]),
        bytes,
        Buffer.alloc(100_000, 'a'),
        Buffer.alloc(3_000_000, 'b'),
        '',
      ];
      for (const value of values) await producer.put(value);
      for (const value of values) expect(await consumer.get()).to.deep.equal(value);
      await consumer.close();
      const { command } = await server.connect();
      expect(await command('HLEN', `mp:{queue ${number}}:large`)).to.equal(0);
      expect(await command('XLEN', `mp:{queue ${number}}:items`)).to.equal(0);
    });

    for (const serialization of [
      'json',
      'pickle',
      { serialize: () => Buffer.of(1), deserialize: () => 'own' },
    ] as const) {
      const format = typeof serialization === 'string' ? serialization : 'custom';
      works(`has the serialization that it is given (${format})`, async () => {
        const producer = make<unknown>({ serialization });
        await producer.put({ a: [1, 'x'] });
        const consumer = make<unknown>(format === 'custom' ? { serialization } : {});
        expect(await consumer.get()).to.deep.equal(format === 'custom' ? 'own' : { a: [1, 'x'] });
        await rejects(make({ serialization: format === 'json' ? 'pickle' : 'json' }).put(1), { code: RANGE });
      });
    }

    works('waits for room, and gives it to the put that has waited longest', async () => {
      const [producer, consumer] = [make<number>({ maxsize: 2 }), make<number>()];
      await producer.put(1);
      await producer.put(2);
      expect([await producer.full(), await consumer.qsize()]).to.deep.equal([true, 2]);
      await rejects(producer.putNowait(0), { code: 'ERR_MP_FULL' });
      await rejects(producer.put(0, { timeout: 20 }), { code: 'ERR_MP_FULL' });
      const puts = [producer.put(3), producer.put(4)];
      const controller = new AbortController();
      const aborted = producer.put(0, { signal: controller.signal });
      await turns();
      controller.abort();
      await rejects(aborted, { code: 'ABORT_ERR' });
      for (const item of [1, 2, 3, 4]) expect(await consumer.get()).to.equal(item);
      await within(30_000, Promise.all(puts), 'the puts');
    });

    works('counts for maxsize what no consumer has got, whether it is finished or not', async () => {
      const queue = makeJoinable<number>({ maxsize: 1 });
      await queue.put(1);
      await queue.get();
      await queue.putNowait(2);
      await queue.get();
      expect(await queue.stats()).to.include({ leased: 2, unfinished: 2, depth: 0 });
      await queue.taskDone();
      await queue.taskDone();
    });

    works('ends a wait by its timeout and by its signal, and loses nothing', async () => {
      const queue = make<number>();
      await rejects(queue.getNowait(), { code: 'ERR_MP_EMPTY' });
      await rejects(queue.get({ timeout: 20 }), { code: 'ERR_MP_EMPTY' });
      const controller = new AbortController();
      const aborted = queue.get({ signal: controller.signal });
      const next = queue.get();
      controller.abort();
      await rejects(aborted, { code: 'ABORT_ERR' });
      await queue.put(1);
      expect(await within(30_000, next, 'the next get')).to.equal(1);
      const given = Array.from({ length: 20 }, (_, i) => queue.get({ timeout: i / 4 }).catch(() => undefined));
      await queue.put(2);
      const got = (await Promise.all(given)).filter((item) => item !== undefined);
      expect(got.length > 0 ? got : [await queue.get()]).to.deep.equal([2]);
    });

    works('gives back what has come for a call that had given up, to its place and without counting it', async () => {
      const queue = makeJoinable<number>();
      for (let i = 0; i < 20; i++) await queue.put(i);
      // Each call ends as its command is on its way, or before.
      for (let i = 0; i < 20; i++) {
        const controller = new AbortController();
        const aborted = queue.get({ signal: controller.signal });
        await turns(1 + (i % 2));
        controller.abort();
        await rejects(aborted, { code: 'ABORT_ERR' }).catch(() => queue.taskDone());
      }
      const { unfinished } = await queue.stats();
      for (let i = 20 - unfinished; i < 20; i++) {
        const lease = await queue.getLease();
        expect([lease.item, lease.deliveries]).to.deep.equal([i, 1]);
        await lease.done();
      }
    });

    works('is iterated over until it is shut down, item by item and in batches', async () => {
      const [producer, consumer, other] = [make<number>(), make<number>(), make<number>()];
      for (let i = 0; i < 5; i++) await producer.put(i);
      for await (const item of consumer) {
        expect(item).to.equal(0);
        break;
      }
      const ended = (async () => {
        for await (const items of consumer.batches(2)) expect(items.length).to.be.within(1, 2);
      })();
      const waits = other.get({ timeout: 30_000 }).catch((error: unknown) => error);
      await producer.shutdown();
      await within(30_000, ended, 'the end of the loop');
      expect([1, 2, 3, 4, 'ERR_MP_SHUT_DOWN']).to.include(codeOf(await waits));
      await rejects(producer.put(1), { code: 'ERR_MP_SHUT_DOWN' });
      await rejects(make({}).get(), { code: 'ERR_MP_SHUT_DOWN' });
    });

    works('ends waiting puts, gets and joins of all members by an immediate shutdown', async () => {
      const [one, two] = [makeJoinable<number>({ maxsize: 1 }), makeJoinable<number>()];
      await one.put(1);
      const calls = [one.put(2), two.join()];
      const settled = Promise.allSettled(calls);
      await one.shutdown({ immediate: true });
      const codes = (await within(30_000, settled, 'the calls')).map((one) =>
        codeOf((one as PromiseRejectedResult).reason),
      );
      expect(codes).to.deep.equal(['ERR_MP_SHUT_DOWN', 'ERR_MP_SHUT_DOWN']);
      await rejects(two.get(), { code: 'ERR_MP_SHUT_DOWN' });
    });

    works('rejects its pending calls when it is closed, and hands nothing out a second time', async () => {
      const [queue, other] = [make<number>(), make<number>()];
      await queue.put(1);
      expect(await queue.get()).to.equal(1);
      const waiting = rejects(queue.get(), { code: 'ERR_MP_CLOSED' });
      await queue.close();
      await waiting;
      await rejects(queue.put(1), { code: 'ERR_MP_CLOSED' });
      await rejects(queue.qsize(), { code: 'ERR_MP_CLOSED' });
      expect(await other.stats()).to.include({ leased: 0, unfinished: 0, put: 1, got: 1 });
    });

    works('finishes an item with the next get, and keeps it for a consumer that is dead before', async () => {
      const [first, second] = [make<number>({ leaseTime: 200 }), make<number>()];
      for (const item of [1, 2]) await first.put(item);
      expect([await first.get(), await first.get()]).to.deep.equal([1, 2]);
      expect(await first.stats()).to.include({ leased: 1, unfinished: 1 });
      await rejects(second.get({ timeout: 600 }), { code: 'ERR_MP_EMPTY' });
    });

    works('may lose an item with its consumer if it is acknowledged by get', async () => {
      const queue = makeJoinable<number>({ ack: 'get' });
      for (const item of [1, 2]) await queue.put(item);
      expect([await queue.get(), await queue.get()]).to.deep.equal([1, 2]);
      expect(await queue.stats()).to.include({ leased: 0, unfinished: 2 });
      await queue.taskDone();
      await queue.taskDone();
      await queue.join();
      await rejects(queue.taskDone(), { code: 'ERR_MP_TASK_DONE' });
      await rejects(queue.getLease(), { code: 'ERR_MP_NOT_SUPPORTED' });
    });

    works('counts each item once, and join waits for all of them', async () => {
      const [producer, consumer] = [makeJoinable<number>(), makeJoinable<number>()];
      await producer.join();
      for (const item of [1, 2]) await producer.put(item);
      const joined = producer.join().then(() => 'joined');
      await consumer.get();
      const late = await rejects(producer.join({ timeout: 20 }), { code: 'ERR_MP_TIMEOUT', waiting: 1 });
      const { holders } = late as unknown as { holders: { pid: number; count: number }[] };
      expect(holders.map(({ pid, count }) => [pid, count])).to.deep.equal([[process.pid, 1]]);
      await consumer.taskDone();
      await rejects(consumer.taskDone(), { code: 'ERR_MP_TASK_DONE' });
      const lease = await consumer.getLease();
      await lease.done();
      await rejects(lease.done(), { code: 'ERR_MP_TASK_DONE' });
      expect(await within(30_000, joined, 'join')).to.equal('joined');
      expect(await producer.stats()).to.include({ unfinished: 0, put: 2, got: 2 });
    });

    works('hands out an item that was released, with the number of its deliveries', async () => {
      const [one, two] = [makeJoinable<string>(), makeJoinable<string>()];
      await one.put('item');
      const lease = await one.getLease();
      const waiting = two.getLease();
      await lease.release();
      const again = await within(30_000, waiting, 'the item');
      expect([again.item, again.deliveries, lease.ended]).to.deep.equal(['item', 2, true]);
      await again.done();
      await one.put('other');
      {
        await using kept = await one.getLease();
        expect(kept.deliveries).to.equal(1);
      }
      const other = await two.getLease();
      expect(other.deliveries).to.equal(2);
      // The items of a member that closes are handed out again.
      await two.close();
      expect((await one.getLease()).deliveries).to.equal(3);
    });

    works(
      'renews leases as long as a task runs, and hands out the items of a consumer that has stopped',
      async () => {
        // Much longer than this process may have to wait for its turn.
        const [long, two] = [makeJoinable<number>({ leaseTime: 3000 }), makeJoinable<number>()];
        await long.put(1);
        const lease = await long.getLease();
        await rejects(two.get({ timeout: 7000 }), { code: 'ERR_MP_EMPTY' });
        await lease.done();
        expect(await long.stats()).to.include({ recoveries: 0 });
        const short = { name: `short ${number}`, leaseTime: 200 };
        const [one, other] = [makeJoinable<number>(short), makeJoinable<number>(short)];
        await rejects(other.getNowait(), { code: 'ERR_MP_EMPTY' });
        await one.put(2);
        const late = await one.getLease();
        // Nothing else runs here, as in a process that is stopped.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
        const taken = await within(30_000, other.getLease(), 'the item');
        expect(taken.deliveries).to.be.within(1, 2);
        if (taken.deliveries === 2) {
          await rejects(late.done(), { code: 'ERR_MP_TASK_DONE' });
          expect(await one.stats()).to.include({ unfinished: 1, recoveries: 1 });
          await taken.done();
        }
        await one.join({ timeout: 30_000 });
      },
      ['redis'],
    );

    works('moves an item to the dead letters after so many deliveries', async () => {
      const dead = make<string>({ name: `dead ${number}` });
      const queue = makeJoinable<string>({ maxDeliveries: 2, deadLetters: dead });
      await queue.put('poison');
      for (const deliveries of [1, 2]) {
        const lease = await queue.getLease();
        expect(lease.deliveries).to.equal(deliveries);
        await lease.release();
      }
      const next = queue.get().catch(() => undefined);
      expect(await within(30_000, dead.get(), 'the dead letter')).to.equal('poison');
      await within(30_000, queue.join(), 'join');
      await queue.close();
      await next;
    });

    works('tells of an item that cannot be serialised or decoded, and of nothing else', async () => {
      const queue = make<unknown>({ serialization: 'json', maxMessageBytes: 10 });
      await rejects(queue.put(1n), { code: 'ERR_MP_PICKLING' });
      await rejects(queue.put('more than ten'), { code: 'ERR_MP_PICKLING' });
      const raw = make<unknown>({ serialization: 'json' });
      await queue.put(1);
      const { command } = await server.connect();
      await command('XADD', `mp:{queue ${number}}:items`, '*', 'd', 'no json');
      await command('HINCRBY', `mp:{queue ${number}}:state`, 'fresh', '1');
      await queue.put(2);
      expect(await raw.getMany(10)).to.deep.equal([1]);
      await rejects(raw.getMany(10), { code: 'ERR_MP_UNPICKLING' });
      expect(await raw.getMany(10)).to.deep.equal([2]);
    });

    works('says that its keys are gone', async () => {
      const [queue, other] = [make<number>(), make<number>()];
      await queue.put(1);
      await other.destroy();
      await rejects(queue.put(1), { code: 'ERR_MP_REDIS', uncertain: false });
      await rejects(queue.get(), { code: 'ERR_MP_REDIS' });
    });

    works('takes its settings from the member that gives them, and refuses others', async () => {
      const plain = make<number>();
      await plain.qsize();
      const first = make<number>({ maxsize: 1 });
      await first.put(1);
      await rejects(plain.putNowait(2), { code: 'ERR_MP_FULL' });
      await rejects(make({ maxsize: 2 }).put(1), { code: RANGE });
      await rejects(make({ leaseTime: 100 }).put(1), { code: RANGE });
    });
  });
}

function codeOf(value: unknown): unknown {
  return value instanceof Error ? (value as Error & { code?: string }).code : value;
}

describe('A RedisQueue', () => {
  const client = { duplicate: () => client, sendCommand: () => Promise.reject(new Error('no connection')) };

  it('refuses wrong options', async () => {
    const make = (options: object) => () => new RedisQueue({ client, name: 'x', ...options });
    await refuses(make({ client: undefined }), 'client', TYPE);
    await refuses(make({ client: { duplicate: () => 1 } }), 'client', TYPE);
    await refuses(make({ name: undefined }), 'name', TYPE);
    await refuses(make({ name: '' }), 'name', RANGE);
    await refuses(make({ name: 'a{b}' }), 'name', RANGE);
    await refuses(make({ prefix: '{' }), 'prefix', RANGE);
    await refuses(make({ maxsize: 0.5 }), 'maxsize', RANGE);
    await refuses(make({ serialization: 'yaml' }), 'serialization', TYPE);
    await refuses(make({ maxMessageBytes: 2 ** 30 }), 'maxMessageBytes', RANGE);
    await refuses(make({ leaseTime: 1 }), 'leaseTime', RANGE);
    await refuses(make({ maxDeliveries: 1 }), 'maxDeliveries', TYPE);
    await refuses(make({ maxDeliveries: 1, deadLetters: {} }), 'deadLetters', TYPE);
    await refuses(make({ ack: 'put' }), 'ack', TYPE);
    await refuses(make({ highWaterMark: 1 }), 'highWaterMark', TYPE);
    throws(() => new RedisQueue(undefined as never), { code: TYPE });
    const queue = new RedisQueue({ client, name: 'x' });
    for (const call of [
      () => queue.put(1, { timeout: NaN }),
      () => queue.get({ block: 1 } as never),
      () => queue.getMany(0),
      () => queue.shutdown({ immediately: true } as never),
    ]) {
      const error = await rejects(neverThrowing(call)() as Promise<unknown>, {});
      expect([TYPE, RANGE]).to.include(codeOf(error));
    }
    await queue.close();
  });

  it('rejects with the error of the client as cause, and says that the outcome is unknown', async () => {
    const queue = new RedisQueue<number>({ client, name: 'x' });
    const error = await rejects(queue.put(1), { code: 'ERR_MP_REDIS', uncertain: true });
    expect((error.cause as Error).message).to.equal('no connection');
    await queue.close();
  });
});
