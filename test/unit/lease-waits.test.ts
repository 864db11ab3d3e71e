// SPDX-License-Identifier: MIT
//
// What the calls of a queue with leases wait for, in one process: a put for room, join for taskDone, a get for an item.
import { expect } from 'chai';
import { JoinableQueue } from 'node-multiprocessing';

import { rejects, throws, turns, within } from '../helpers/index.js';
import { second, small, withQueue } from './support/queues.js';

describe('A full queue with leases', () => {
  it('refuses an item that is longer than all its memory', () =>
    withQueue(new JoinableQueue<Buffer>(small), async (queue) => {
      await rejects(queue.put(Buffer.alloc(70_000)), { code: 'ERR_MP_PICKLING' });
      throws(() => queue.putNowait(Buffer.alloc(70_000)), { code: 'ERR_MP_PICKLING' });
      await queue.put(Buffer.alloc(60_000));
    }));

  it('makes put wait for memory, which taskDone frees', () =>
    withQueue(new JoinableQueue<Buffer>(small), async (queue) => {
      const item = Buffer.alloc(40_000, 1);
      await queue.put(item);
      throws(() => queue.putNowait(item), { code: 'ERR_MP_FULL' });
      throws(() => queue.putSync(item, { timeout: 20 }), { code: 'ERR_MP_FULL' });
      await rejects(queue.put(item, { timeout: 20 }), { code: 'ERR_MP_FULL' });
      await rejects(queue.put(item, { signal: AbortSignal.timeout(20) }), { code: 'ABORT_ERR' });
      const waiting = queue.put(item);
      await queue.get();
      await turns();
      expect(queue.qsize()).to.equal(0);
      await queue.taskDone();
      await within(20_000, waiting, 'the put');
      expect(item.equals(await queue.get())).to.equal(true);
    }));

  it('makes put wait for one of its places, which get frees', () =>
    withQueue(new JoinableQueue<number>({ ...small, maxsize: 2 }), async (queue) => {
      await queue.put(1);
      await queue.put(2);
      expect(queue.full()).to.equal(true);
      const waiting = [queue.put(3), queue.put(4)];
      const lease = await queue.getLease();
      await within(20_000, waiting[0] as Promise<void>, 'the first put');
      await lease.release();
      expect([queue.qsize(), queue.full()]).to.deep.equal([3, true]);
      expect([await queue.get(), await queue.get()]).to.deep.equal([1, 2]);
      await within(20_000, waiting[1] as Promise<void>, 'the second put');
      expect([await queue.get(), await queue.get()]).to.deep.equal([3, 4]);
    }));

  it('lets several members wait, each for as much room as it needs', () =>
    withQueue(new JoinableQueue<Buffer>(small), (queue) =>
      withQueue(second(queue), async (other) => {
        await queue.put(Buffer.alloc(60_000));
        const large = other.put(Buffer.alloc(50_000));
        const little = queue.put(Buffer.alloc(10_000));
        await queue.get();
        await queue.taskDone();
        await within(20_000, Promise.all([large, little]), 'both puts');
        expect(queue.qsize()).to.equal(2);
      }),
    ));
});

describe('join of a queue with leases', () => {
  it('waits until every item is finished', () =>
    withQueue(new JoinableQueue<number>(small), async (queue) => {
      await queue.join();
      queue.joinSync();
      for (const item of [1, 2]) await queue.put(item);
      let joined = false;
      const joining = queue.join().then(() => (joined = true));
      await queue.get();
      await queue.taskDone();
      await (await queue.getLease()).release();
      await turns();
      expect(joined).to.equal(false);
      await (await queue.getLease()).done();
      await within(20_000, joining, 'join');
      queue.joinSync();
    }));

  it('says at its time limit which consumers have items, and for how long', () =>
    withQueue(new JoinableQueue<number>(small), (queue) =>
      withQueue(second(queue), async (other) => {
        for (const item of [1, 2, 3, 4]) await queue.put(item);
        await queue.get();
        await other.get();
        await other.get();
        const reports = [
          await rejects(queue.join({ timeout: 30 }), { code: 'ERR_MP_TIMEOUT', waiting: 1 }),
          throws(() => queue.joinSync({ timeout: 30 }), { code: 'ERR_MP_TIMEOUT', waiting: 1 }),
        ];
        for (const report of reports) {
          const { holders } = report as unknown as { holders: Record<string, number>[] };
          expect(holders.map(({ pid, thread, count }) => [pid, thread, count])).to.have.deep.members([
            [process.pid, 0, 1],
            [process.pid, 0, 2],
          ]);
          for (const { ms } of holders) expect(ms).to.be.at.least(25);
        }
      }),
    ));

  it('ends when its signal aborts, and when the queue is closed here', async () => {
    const queue = new JoinableQueue<number>(small);
    await queue.put(1);
    await rejects(queue.join({ signal: AbortSignal.timeout(10) }), { code: 'ABORT_ERR' });
    const joining = rejects(queue.join(), { code: 'ERR_MP_CLOSED' });
    await turns();
    queue.close();
    await within(20_000, joining, 'join');
  });

  it('ends with ShutDown when the items that are left are dropped', () =>
    withQueue(new JoinableQueue<number>(small), async (queue) => {
      await queue.put(1);
      const joining = rejects(queue.join(), { code: 'ERR_MP_SHUT_DOWN' });
      await turns();
      queue.shutdown({ immediate: true });
      await within(20_000, joining, 'join');
      throws(() => queue.joinSync(), { code: 'ERR_MP_SHUT_DOWN' });
    }));
});

describe('get of a queue with leases', () => {
  it('fails with Empty, an AbortError or ClosedError, and takes nothing then', async () => {
    const queue = new JoinableQueue<number>(small);
    throws(() => queue.getNowait(), { code: 'ERR_MP_EMPTY' });
    throws(() => queue.getSync({ timeout: 10 }), { code: 'ERR_MP_EMPTY' });
    await rejects(queue.get({ timeout: 10 }), { code: 'ERR_MP_EMPTY' });
    await rejects(queue.getLease({ signal: AbortSignal.timeout(10) }), { code: 'ABORT_ERR' });
    await queue.put(1);
    expect(await queue.get()).to.equal(1);
    const waiting = rejects(queue.get(), { code: 'ERR_MP_CLOSED' });
    await turns();
    queue.close();
    await waiting;
  });

  it('is woken by an item that is given back', () =>
    withQueue(new JoinableQueue<number>(small), (queue) =>
      withQueue(second(queue), async (other) => {
        await queue.put(1);
        const lease = await queue.getLease();
        const waiting = other.getLease();
        await turns();
        await lease.release();
        expect((await within(20_000, waiting, 'getLease')).deliveries).to.equal(2);
      }),
    ));

  it('ends with ShutDown once no item waits, also in a loop', () =>
    withQueue(new JoinableQueue<number>(small), (queue) =>
      withQueue(second(queue), async (other) => {
        const waiting = rejects(other.get(), { code: 'ERR_MP_SHUT_DOWN' });
        await turns();
        await queue.put(1);
        await queue.put(2);
        const putting = queue.put(3);
        queue.shutdown();
        await putting;
        await rejects(queue.put(4), { code: 'ERR_MP_SHUT_DOWN' });
        const seen = [];
        for await (const item of queue) seen.push(item);
        expect(seen.length).to.be.within(2, 3);
        await within(
          20_000,
          waiting.catch(() => undefined),
          'the other get',
        );
      }),
    ));
});
