// SPDX-License-Identifier: MIT
//
// Many items at once: what is in a batch of a queue, and what ends it early.
import { expect } from 'chai';
import { JoinableQueue, Queue, SimpleQueue, type BaseQueue } from 'node-multiprocessing';

import { modes, rejects, throws, turns, type Mode } from '../helpers/index.js';
import { RANGE, TYPE } from '../helpers/arguments.js';
import { withQueue } from './support/queues.js';

const classes: [string, () => BaseQueue<unknown>][] = [
  ['Queue', () => new Queue()],
  ['JoinableQueue', () => new JoinableQueue()],
  ['SimpleQueue', () => new SimpleQueue()],
  ['JoinableQueue with leases', () => new JoinableQueue({ leases: true })],
];

async function many(mode: Mode, queue: BaseQueue<unknown>, max?: number): Promise<unknown[]> {
  return mode === 'sync' ? queue.getManySync(max) : await queue.getMany(max);
}

async function putAll(queue: BaseQueue<unknown>, items: readonly unknown[]): Promise<void> {
  for (const item of items) await queue.put(item);
}

for (const [name, make] of classes) {
  describe(`getMany of a ${name}`, () => {
    for (const mode of modes) {
      it(`returns what is there, in order, and at most as many as were asked for (${mode})`, () =>
        withQueue(make(), async (queue) => {
          await putAll(queue, [0, 1, 2, 3, 4, 5]);
          expect(await many(mode, queue, 2)).to.deep.equal([0, 1]);
          expect(await many(mode, queue, 1)).to.deep.equal([2]);
          expect(await queue.get()).to.equal(3);
          expect(await many(mode, queue)).to.deep.equal([4, 5]);
        }));
    }

    it('waits for the first item only, after the gets that were called before', () =>
      withQueue(make(), async (queue) => {
        const [batch, one, next] = [queue.getMany(2), queue.get(), queue.getMany()];
        await putAll(queue, ['a']);
        expect(await batch).to.deep.equal(['a']);
        await putAll(queue, ['b', 'c']);
        expect(await one).to.equal('b');
        expect(await next).to.deep.equal(['c']);
      }));

    it('ends by its time limit, with block: false and by its signal, and loses nothing', () =>
      withQueue(make(), async (queue) => {
        await rejects(queue.getMany(2, { timeout: 1 }), { code: 'ERR_MP_EMPTY' });
        await rejects(queue.getMany(2, { block: false }), { code: 'ERR_MP_EMPTY' });
        throws(() => queue.getManySync(2, { block: false }), { code: 'ERR_MP_EMPTY' });
        const ending = new AbortController();
        const aborted = queue.getMany(2, { signal: ending.signal });
        ending.abort();
        await rejects(aborted, { code: 'ABORT_ERR' });
        await putAll(queue, [1]);
        expect(await queue.getMany()).to.deep.equal([1]);
      }));

    it('takes no further item once a batch has 1 MiB', () =>
      withQueue(make(), async (queue) => {
        const size = 600_000;
        const put = putAll(
          queue,
          [1, 2, 3].map((value) => Buffer.alloc(size, value)),
        );
        const got: Buffer[] = [];
        while (got.length < 3) {
          const batch = (await queue.getMany()) as Buffer[];
          expect(batch.length).to.be.at.most(2);
          got.push(...batch);
        }
        await put;
        expect(got.map((bytes) => [bytes.length, bytes[0]])).to.deep.equal([1, 2, 3].map((value) => [size, value]));
      }));

    it('is repeated by batches(), until the queue is closed here', () =>
      withQueue(make(), async (queue) => {
        await putAll(queue, [0, 1, 2]);
        const batches: unknown[] = [];
        for await (const batch of queue.batches(2)) {
          batches.push(batch);
          if (batches.length === 2) queue.close();
        }
        expect(batches).to.deep.equal([[0, 1], [2]]);
        await rejects(queue.getMany(), { code: 'ERR_MP_CLOSED' });
      }));
  });
}

describe('getMany of a queue', () => {
  for (const mode of modes) {
    it(`leaves an item that cannot be decoded to the next get (${mode})`, () => {
      const serialization = {
        serialize: (value: unknown) => Buffer.from(JSON.stringify(value)),
        deserialize: (bytes: Uint8Array): unknown => {
          const value: unknown = JSON.parse(Buffer.from(bytes).toString());
          if (value === 'bad') throw new Error('bad');
          return value;
        },
      };
      return withQueue(new Queue<unknown>({ serialization }), async (queue) => {
        await putAll(queue, [1, 2, 'bad', 3, 'bad', 4]);
        expect(await many(mode, queue)).to.deep.equal([1, 2]);
        expect(queue.empty()).to.equal(false);
        await rejects(many(mode, queue), { code: 'ERR_MP_UNPICKLING' });
        expect(await many(mode, queue)).to.deep.equal([3]);
        const [bad, good] = [queue.get(), queue.getMany()];
        await rejects(bad, { code: 'ERR_MP_UNPICKLING' });
        expect(await good).to.deep.equal([4]);
      });
    });
  }

  it('leaves what no call waits for to the other members', () =>
    withQueue(new Queue<number>(), async (queue) => {
      const gets = [queue.get(), queue.get(), queue.get()];
      for (let i = 0; i < 8; i++) queue.putNowait(i);
      expect(await Promise.all(gets)).to.deep.equal([0, 1, 2]);
      while (queue.stats().put < 8) await turns(1);
      expect(queue.stats()).to.include({ got: 3, depth: 5 });
      expect(await queue.getMany(2)).to.deep.equal([3, 4]);
      expect(queue.stats()).to.include({ got: 5, depth: 3 });
      expect(queue.getManySync(2)).to.deep.equal([5, 6]);
      expect(queue.stats()).to.include({ got: 7, depth: 1 });
    }));

  it('reads the items of one queue while those of another one are still to be taken', () => {
    const serialization = {
      serialize: (value: unknown) => Buffer.from(String(value)),
      deserialize: (bytes: Uint8Array): unknown => {
        const text = Buffer.from(bytes).toString();
        if (text === 'bad') throw new Error('bad');
        return text;
      },
    };
    return withQueue(new Queue<unknown>({ serialization }), (first) =>
      withQueue(new Queue<unknown>({ serialization }), async (second) => {
        await putAll(first, ['a', 'bad', 'b', 'c']);
        await putAll(second, ['x'.repeat(50), 'y'.repeat(50)]);
        expect(await first.getMany()).to.deep.equal(['a']);
        expect(await second.getMany()).to.deep.equal(['x'.repeat(50), 'y'.repeat(50)]);
        await rejects(first.get(), { code: 'ERR_MP_UNPICKLING' });
        expect([await first.get(), first.getNowait()]).to.deep.equal(['b', 'c']);
        expect(first.empty()).to.equal(true);
      }),
    );
  });

  it('takes no more than 1 MiB of many small items', () =>
    withQueue(new Queue<Buffer>(), async (queue) => {
      const [size, count] = [12_000, 120];
      const put = putAll(
        queue,
        Array.from({ length: count }, (_, i) => Buffer.alloc(size, i)),
      );
      const got: Buffer[] = [];
      while (got.length < count) {
        const batch = await queue.getMany();
        expect(batch.length * size).to.be.below(1024 * 1024 + 2 * size);
        got.push(...batch);
      }
      await put;
      expect(got.map((bytes) => bytes[0])).to.deep.equal(Array.from({ length: count }, (_, i) => i));
    }));

  it('leases each item of a batch, for as many calls of taskDone', () =>
    withQueue(new JoinableQueue<number>({ leases: true }), async (queue) => {
      await putAll(queue, [1, 2]);
      expect(await queue.getMany()).to.deep.equal([1, 2]);
      await queue.taskDone();
      await rejects(queue.join({ timeout: 0 }), { code: 'ERR_MP_TIMEOUT' });
      await queue.taskDone();
      await queue.join();
    }));

  it('gets the rest after a shutdown, and then fails', () =>
    withQueue(new Queue<number>(), async (queue) => {
      await putAll(queue, [1, 2]);
      queue.shutdown();
      expect(await queue.getMany()).to.deep.equal([1, 2]);
      await rejects(queue.getMany(), { code: 'ERR_MP_SHUT_DOWN' });
    }));

  it('checks its arguments', () =>
    withQueue(new Queue<number>(), async (queue) => {
      for (const max of [0, -1, 1.5]) await rejects(queue.getMany(max), { code: RANGE });
      await rejects(queue.getMany('1' as never), { code: TYPE });
      throws(() => queue.getManySync(0), { code: RANGE });
      throws(() => queue.batches(0), { code: RANGE });
    }));
});
