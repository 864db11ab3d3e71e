// SPDX-License-Identifier: MIT
//
// Queues with leases in one process. What becomes of the items of dead processes is in test/lifecycle/lease-kills.test.ts.
import { expect } from 'chai';
import { describe as describeObject, JoinableQueue, PythonProcess, Queue } from 'node-multiprocessing';

import { rejects, throws, within } from '../helpers/index.js';
import { second, small, withQueue } from './support/queues.js';

const outOfRange = { code: 'ERR_OUT_OF_RANGE' };
const wrongType = { code: 'ERR_INVALID_ARG_TYPE' };
const notSupported = { code: 'ERR_MP_NOT_SUPPORTED' };
const tooManyDone = { code: 'ERR_MP_TASK_DONE' };

describe('A JoinableQueue with leases', () => {
  it('returns items in the order in which they were put', () =>
    withQueue(new JoinableQueue(small), async (queue) => {
      await queue.put('async');
      queue.putSync('sync');
      queue.putNowait('now');
      expect([queue.qsize(), queue.empty()]).to.deep.equal([3, false]);
      expect([await queue.get(), queue.getSync(), queue.getNowait()]).to.deep.equal(['async', 'sync', 'now']);
      expect([queue.qsize(), queue.empty()]).to.deep.equal([0, true]);
      for (let i = 0; i < 3; i++) await queue.taskDone();
      await queue.join();
    }));

  it('counts what its members put and got, a second delivery too, and what waits', () =>
    withQueue(new JoinableQueue(small), async (queue) => {
      expect(queue.stats()).to.deep.equal({ put: 0, got: 0, lost: 0, recoveries: 0, depth: 0 });
      for (const item of ['a', 'b', 'c']) await queue.put(item);
      await (await queue.getLease()).release();
      const other = second(queue);
      await (await other.getLease()).done();
      other.close();
      expect(queue.stats()).to.deep.equal({ put: 3, got: 2, lost: 0, recoveries: 0, depth: 2 });
    }));

  it('carries items of every size, as their bytes were at the time of the put', () =>
    withQueue(new JoinableQueue<unknown>({ leases: true }), async (queue) => {
      const sizes = [0, 1, 100, 16_383, 16_384, 16_385, 200_000, 5_000_000];
      const items = sizes.map((size) => Buffer.alloc(size, size));
      for (const item of items) await queue.put(item);
      const expected = items.map((item) => Buffer.from(item));
      for (const item of items) item.fill(0xee);
      for (const item of expected) expect(item.equals((await queue.get()) as Buffer)).to.equal(true);
    }));

  it('carries items in every serialization but pickle', async () => {
    const reversed = {
      serialize: (value: unknown) => Buffer.from(String(value)).reverse(),
      deserialize: (bytes: Uint8Array) => Buffer.from(bytes).reverse().toString(),
    };
    for (const serialization of ['structured', 'json', reversed] as const) {
      await withQueue(new JoinableQueue({ ...small, serialization }), async (queue) => {
        await queue.put('text');
        expect(await queue.get()).to.equal('text');
      });
    }
    throws(() => new JoinableQueue({ ...small, serialization: 'pickle' }), notSupported);
  });

  it('checks its options', () => {
    throws(() => new JoinableQueue({ leases: 1 as never }), wrongType);
    throws(() => new JoinableQueue({ leaseBytes: 5 }), wrongType);
    throws(() => new JoinableQueue({ leases: false, maxDeliveries: 5 }), wrongType);
    throws(() => new JoinableQueue({ leases: true, leaseBytes: 0 }), outOfRange);
    throws(() => new JoinableQueue({ leases: true, leaseBytes: 1.5 }), outOfRange);
    throws(() => new JoinableQueue({ leases: true, maxDeliveries: 2 }), wrongType);
    const letters = new Queue();
    throws(() => new JoinableQueue({ leases: true, deadLetters: letters }), wrongType);
    throws(() => new JoinableQueue({ leases: true, maxDeliveries: 0, deadLetters: letters }), outOfRange);
    throws(() => new JoinableQueue({ leases: true, maxDeliveries: 2, deadLetters: {} as never }), wrongType);
    const json = new Queue({ serialization: 'json' });
    const options = { leases: true, maxDeliveries: 2, deadLetters: json } as const;
    throws(() => new JoinableQueue({ ...options, serialization: 'structured' }), wrongType);
    for (const queue of [letters, json]) queue.close();
  });

  it('is refused when there is not that much memory', () => {
    throws(() => new JoinableQueue({ leases: true, leaseBytes: 2 ** 46 }), { code: 'ENOSPC' });
  });

  it('is for Node processes only', () =>
    withQueue(new JoinableQueue(small), (queue) => {
      throws(() => describeObject(queue), notSupported);
      const python = new PythonProcess({ target: 'builtins:print', args: [queue] });
      throws(() => python.start(), notSupported);
    }));

  it('has no leases unless it was made with them', () =>
    withQueue(new JoinableQueue(), async (queue) => {
      await rejects(queue.getLease(), notSupported);
      throws(() => queue.getLeaseSync(), notSupported);
    }));

  it('keeps what cannot be decoded leased, until taskDone or another consumer ends that', () => {
    const broken = {
      serialize: () => Buffer.from('bytes'),
      deserialize: () => {
        throw new Error('on purpose');
      },
    };
    return withQueue(new JoinableQueue({ ...small, serialization: broken }), async (queue) => {
      await queue.put(1);
      await rejects(queue.get(), { code: 'ERR_MP_UNPICKLING' });
      await queue.taskDone();
      await queue.join();
    });
  });
});

describe('An item of a queue with leases for which there is no memory', () => {
  for (const waits of [false, true]) {
    it(`is given back (${waits ? 'to a get that waits' : 'to a get'})`, () =>
      withQueue(new JoinableQueue({ leases: true }), async (queue) => {
        // Regression: it stayed leased, and a get that waited ended the process by an uncaught error.
        const other = second(queue);
        const { allocUnsafeSlow } = Buffer;
        try {
          const waiting = waits ? [queue.get()] : [];
          await other.put(Buffer.alloc(200_000));
          Buffer.allocUnsafeSlow = () => {
            throw new RangeError('Array buffer allocation failed');
          };
          await rejects(waiting[0] ?? queue.get(), { code: 'ENOMEM' });
        } finally {
          Buffer.allocUnsafeSlow = allocUnsafeSlow;
        }
        const lease = await within(30_000, other.getLease(), 'the item');
        expect([(lease.item as Buffer).length, lease.deliveries]).to.deep.equal([200_000, 2]);
        await lease.done();
        await queue.join();
        other.close();
      }));
  }
});

describe('A lease', () => {
  it('is ended by done or release, of which each consumer has its own', () =>
    withQueue(new JoinableQueue<number>(small), (queue) =>
      withQueue(second(queue), async (other) => {
        for (const item of [1, 2, 3]) await queue.put(item);
        const first = await queue.getLease();
        const theirs = await other.getLease();
        expect([first.item, first.deliveries, first.ended]).to.deep.equal([1, 1, false]);
        await first.release();
        expect(first.ended).to.equal(true);
        const again = queue.getLeaseSync();
        expect([again.item, again.deliveries]).to.deep.equal([1, 2]);
        again.doneSync();
        for (const call of [() => again.done(), () => again.release(), () => first.done(), () => queue.taskDone()]) {
          await rejects(call(), tooManyDone);
        }
        theirs.releaseSync();
        expect((await queue.getLease()).deliveries).to.equal(2);
      }),
    ));

  it('ends with taskDone, the oldest first', () =>
    withQueue(new JoinableQueue<number>(small), async (queue) => {
      for (const item of [1, 2, 3]) await queue.put(item);
      const leases = [await queue.getLease(), await queue.getLease(), await queue.getLease()] as const;
      await leases[1].done();
      await queue.taskDone();
      await rejects(leases[0].done(), tooManyDone);
      queue.taskDoneSync();
      throws(() => queue.taskDoneSync(), tooManyDone);
      await queue.join();
    }));

  it('that is disposed of gives the item back unless it was ended', () =>
    withQueue(new JoinableQueue<number>(small), async (queue) => {
      for (const item of [1, 2]) await queue.put(item);
      const [ended, open] = [await queue.getLease(), await queue.getLease()];
      await ended.done();
      await ended[Symbol.asyncDispose]();
      await open[Symbol.asyncDispose]();
      const again = await queue.getLease();
      expect([again.item, again.deliveries]).to.deep.equal([2, 2]);
    }));

  it('ends when the consumer closes its queue', () =>
    withQueue(new JoinableQueue<number>(small), async (queue) => {
      const other = second(queue);
      for (const item of [1, 2, 3]) await queue.put(item);
      const lease = await other.getLease();
      await other.get();
      other.close();
      await rejects(lease.done(), tooManyDone);
      throws(() => lease.releaseSync(), tooManyDone);
      const items = [await queue.getLease(), await queue.getLease(), await queue.getLease()];
      expect(items.map(({ item, deliveries }) => [item, deliveries])).to.deep.equal([
        [1, 2],
        [2, 2],
        [3, 1],
      ]);
    }));
});

describe('Dead letters', () => {
  for (const [kind, make] of [
    ['a Queue', () => new Queue<unknown>()],
    ['a queue with leases', () => new JoinableQueue<unknown>(small)],
    ['a Queue that is full at first', () => new Queue<unknown>(1)],
  ] as const) {
    it(`get an item after its last delivery (${kind})`, () =>
      withQueue(make(), async (letters) => {
        const queue = new JoinableQueue<unknown>({ ...small, maxDeliveries: 2, deadLetters: letters });
        if (kind.endsWith('first')) await letters.put('first');
        const item = { large: Buffer.alloc(20_000, 3) };
        await queue.put(item);
        await queue.put('good');
        for (const deliveries of [1, 2]) {
          const lease = await queue.getLease();
          expect([lease.item, lease.deliveries]).to.deep.equal([item, deliveries]);
          await lease.release();
        }
        expect(await queue.get()).to.equal('good');
        await queue.taskDone();
        const joining = queue.join();
        await rejects(queue.get({ timeout: 10 }), { code: 'ERR_MP_EMPTY' });
        if (kind.endsWith('first')) expect(await letters.get()).to.equal('first');
        expect(await letters.get()).to.deep.equal(item);
        await within(20_000, joining, 'join');
        queue.close();
      }));
  }

  it('that are closed leave the item where it is, with a warning', () =>
    withQueue(new JoinableQueue<unknown>(small), async (queue) => {
      const letters = new Queue();
      const strict = new JoinableQueue({ ...small, maxDeliveries: 1, deadLetters: letters });
      letters.close();
      await strict.put(1);
      await (await strict.getLease()).release();
      await rejects(strict.get({ timeout: 10 }), { code: 'ERR_MP_EMPTY' });
      await rejects(strict.join({ timeout: 10 }), { code: 'ERR_MP_TIMEOUT', waiting: 1 });
      strict.close();
      expect(queue.qsize()).to.equal(0);
    }));
});
