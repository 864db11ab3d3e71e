// SPDX-License-Identifier: MIT
//
// A queue in one process. test/interop/cpython-queue.test.ts contains CPython's tests.
import { expect } from 'chai';
import { JoinableQueue, Queue, SimpleQueue } from 'node-multiprocessing';

import { rejects, throws, turns } from '../helpers/index.js';
import { withQueue } from './support/queues.js';

describe('A Queue', () => {
  it('returns items in the order in which they were put', () =>
    withQueue(new Queue(), async (queue) => {
      await queue.put('async');
      queue.putSync('sync');
      queue.putNowait('now');
      expect([await queue.get(), queue.getSync(), queue.getNowait()]).to.deep.equal(['async', 'sync', 'now']);
    }));

  it('gives an item to the get that has waited longest', () =>
    withQueue(new Queue<number>(), async (queue) => {
      const gets = [queue.get(), queue.get(), queue.get()];
      for (const item of [1, 2, 3]) await queue.put(item);
      expect(await Promise.all(gets)).to.deep.equal([1, 2, 3]);
    }));

  it('carries items that are larger than the pipe, with or without a pending get', () =>
    withQueue(new Queue<Buffer>(), async (queue) => {
      const item = Buffer.alloc(3_000_000, 'item');
      const waiting = queue.get();
      await queue.put(item);
      expect(item.equals(await waiting)).to.equal(true);
      await queue.put(item);
      await queue.put(item);
      expect(item.equals(await queue.get())).to.equal(true);
      expect(item.equals(queue.getSync())).to.equal(true);
    }));

  it('carries Buffers with their content at the time of the put, wherever they wait', () =>
    withQueue(new Queue<Buffer>(4), async (queue) => {
      const sizes = [100, 16_383, 16_384, 2_000_000, 3_000_000, 20_000];
      const before = sizes.map((size) => Buffer.alloc(size, size));
      // With the fourth item the pipe is full, and so is the queue.
      const puts = before.map((bytes) => {
        const item = Buffer.from(bytes);
        const put = queue.put(item);
        item.fill(0xff);
        return put;
      });
      for (const bytes of before) expect(bytes.equals(await queue.get()), `${bytes.length} bytes`).to.equal(true);
      await Promise.all(puts);
      const item = Buffer.alloc(70_000, 1);
      queue.putSync(item);
      item.fill(2);
      queue.putNowait(item);
      item.fill(3);
      expect([(await queue.get())[69_999], (await queue.get())[0]]).to.deep.equal([1, 2]);
    }));

  it('is empty, not full and of size 0 at first', () =>
    withQueue(new Queue(), (queue) => {
      expect([queue.empty(), queue.full(), queue.qsize()]).to.deep.equal([true, false, 0]);
    }));

  it('rejects the put of an item that cannot be serialized, and nothing else', () =>
    withQueue(new JoinableQueue(1), async (queue) => {
      await rejects(
        queue.put(() => 0),
        { code: 'ERR_MP_PICKLING' },
      );
      throws(
        () => {
          queue.putSync(() => 0);
        },
        { code: 'ERR_MP_PICKLING' },
      );
      expect(queue.qsize()).to.equal(0);
      await queue.join();
      await queue.put('next');
      expect(await queue.get()).to.equal('next');
    }));

  it('refuses to be part of an item', () =>
    withQueue(new Queue(), (queue) => rejects(queue.put(queue), { code: 'ERR_MP_NOT_SUPPORTED' })));

  it('waits for a slot, and gives it to the put that has waited longest', () =>
    withQueue(new Queue<number>(1), async (queue) => {
      await queue.put(1);
      const puts = [queue.put(2), queue.put(3)];
      await turns();
      expect(queue.qsize()).to.equal(1);
      throws(
        () => {
          queue.putNowait(4);
        },
        { code: 'ERR_MP_FULL' },
      );
      expect([await queue.get(), await queue.get(), await queue.get()]).to.deep.equal([1, 2, 3]);
      await Promise.all(puts);
    }));

  it('ends a wait by its timeout and by its signal, and loses nothing', () =>
    withQueue(new Queue<number>(1), async (queue) => {
      await rejects(queue.get({ timeout: 20 }), { code: 'ERR_MP_EMPTY' });
      throws(() => queue.getSync({ timeout: 20 }), { code: 'ERR_MP_EMPTY' });
      const controller = new AbortController();
      const aborted = queue.get({ signal: controller.signal });
      const next = queue.get();
      controller.abort();
      await rejects(aborted, { code: 'ABORT_ERR' });
      await queue.put(1);
      expect(await next).to.equal(1);
      await queue.put(2);
      await rejects(queue.put(3, { timeout: 20 }), { code: 'ERR_MP_FULL' });
      throws(
        () => {
          queue.putSync(3, { timeout: 20 });
        },
        { code: 'ERR_MP_FULL' },
      );
      const full = new AbortController();
      const put = queue.put(3, { signal: full.signal });
      full.abort();
      await rejects(put, { code: 'ABORT_ERR' });
      expect([await queue.get(), queue.empty()]).to.deep.equal([2, true]);
    }));

  it('refuses a Sync call while an asynchronous one is pending', () =>
    withQueue(new Queue<number>(1), async (queue) => {
      const get = queue.get();
      throws(() => queue.getSync(), { code: 'ERR_MP_BUSY' });
      throws(() => queue.getNowait(), { code: 'ERR_MP_EMPTY' });
      await queue.put(1);
      expect(await get).to.equal(1);
      await queue.put(2);
      const put = queue.put(3);
      throws(
        () => {
          queue.putSync(4);
        },
        { code: 'ERR_MP_BUSY' },
      );
      expect([await queue.get(), await queue.get()]).to.deep.equal([2, 3]);
      await put;
    }));

  it('rejects pending calls when it is closed', async () => {
    const queue = new Queue<number>(1);
    await queue.put(1);
    const put = queue.put(2);
    const other = new Queue();
    const get = other.get();
    queue.close();
    other.close();
    other.close();
    await rejects(put, { code: 'ERR_MP_CLOSED' });
    await rejects(get, { code: 'ERR_MP_CLOSED' });
    expect([queue.closed, other.closed]).to.deep.equal([true, true]);
  });

  it('can be iterated over; the loop may be left and entered again', () =>
    withQueue(new Queue<number>(), async (queue) => {
      for (const item of [1, 2, 3]) await queue.put(item);
      const seen: number[] = [];
      for await (const item of queue) {
        seen.push(item);
        if (item === 2) break;
      }
      for await (const item of queue) {
        seen.push(item);
        setImmediate(() => {
          queue.close();
        });
      }
      expect(seen).to.deep.equal([1, 2, 3]);
    }));
});

describe('Queue.joinThread', () => {
  it('needs a closed queue, and resolves when everything was written', async () => {
    const queue = new Queue();
    await rejects(queue.joinThread(), { code: 'ERR_MP_NOT_CLOSED' });
    throws(
      () => {
        queue.joinThreadSync();
      },
      { code: 'ERR_MP_NOT_CLOSED' },
    );
    await queue.put(1);
    queue.close();
    await queue.joinThread();
    queue.joinThreadSync();
  });

  it('rejects with EPIPE if no process can get the items', async () => {
    const queue = new Queue<Buffer>();
    await queue.put(Buffer.alloc(2_000_000));
    queue.close();
    await rejects(queue.joinThread(), { code: 'EPIPE', syscall: 'write' });
    throws(
      () => {
        queue.joinThreadSync();
      },
      { code: 'EPIPE' },
    );
  });

  it('does not wait after cancelJoinThread', async () => {
    const queue = new Queue<Buffer>();
    await queue.put(Buffer.alloc(2_000_000));
    queue.cancelJoinThread();
    queue.close();
    await queue.joinThread();
    queue.joinThreadSync();
  });
});

describe('Queue.shutdown', () => {
  it('rejects puts at once, and gets when nothing is left', () =>
    withQueue(new Queue<number>(2), async (queue) => {
      await queue.put(1);
      await queue.put(2);
      const put = queue.put(3);
      queue.shutdown();
      await rejects(put, { code: 'ERR_MP_SHUT_DOWN' });
      await rejects(queue.put(3), { code: 'ERR_MP_SHUT_DOWN' });
      expect([await queue.get(), queue.getSync()]).to.deep.equal([1, 2]);
      await rejects(queue.get(), { code: 'ERR_MP_SHUT_DOWN' });
      throws(() => queue.getSync(), { code: 'ERR_MP_SHUT_DOWN' });
      throws(() => queue.getNowait(), { code: 'ERR_MP_SHUT_DOWN' });
    }));

  it('leaves nothing with { immediate: true }', () =>
    withQueue(new JoinableQueue<number>(), async (queue) => {
      await queue.put(1);
      const join = queue.join();
      queue.shutdown({ immediate: true });
      await rejects(queue.get(), { code: 'ERR_MP_SHUT_DOWN' });
      await rejects(join, { code: 'ERR_MP_SHUT_DOWN' });
      await rejects(queue.join(), { code: 'ERR_MP_SHUT_DOWN' });
      throws(
        () => {
          queue.joinSync();
        },
        { code: 'ERR_MP_SHUT_DOWN' },
      );
    }));

  it('lets a join sleep until the items that are left are finished', () =>
    withQueue(new JoinableQueue<number>(), async (queue) => {
      // Regression: the event loop turned without a pause.
      await queue.put(1);
      await queue.get();
      const before = queue.join();
      queue.shutdown();
      const joins = [before, queue.join()];
      const { nodeTiming } = performance as { nodeTiming: { uvMetricsInfo?: { loopCount: number } } };
      const start = nodeTiming.uvMetricsInfo?.loopCount ?? 0;
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect((nodeTiming.uvMetricsInfo?.loopCount ?? 0) - start).to.be.below(50);
      await queue.taskDone();
      await Promise.all(joins);
    }));

  it('ends pending gets and loops', () =>
    withQueue(new Queue<number>(), async (queue) => {
      const get = queue.get();
      const seen: number[] = [];
      const loop = (async () => {
        for await (const item of queue) seen.push(item);
      })();
      await queue.put(1);
      await queue.put(2);
      expect(await get).to.equal(1);
      await turns();
      queue.shutdown();
      queue.shutdown();
      await loop;
      expect(seen).to.deep.equal([2]);
    }));
});

describe('A JoinableQueue', () => {
  it('is joined when as many items are done as were put', () =>
    withQueue(new JoinableQueue<number>(), async (queue) => {
      await queue.join();
      queue.joinSync();
      await queue.put(1);
      await queue.put(2);
      await rejects(queue.join({ timeout: 10 }), { code: 'ERR_MP_TIMEOUT' });
      const join = queue.join();
      await queue.get();
      await queue.taskDone();
      await queue.get();
      await rejects(queue.join({ signal: AbortSignal.timeout(10) }), { code: 'ABORT_ERR' });
      await queue.task_done();
      await join;
      await rejects(queue.taskDone(), { code: 'ERR_MP_TASK_DONE' });
      throws(
        () => {
          queue.taskDoneSync();
        },
        { code: 'ERR_MP_TASK_DONE' },
      );
      await queue.put(3);
      queue.getSync();
      queue.taskDoneSync();
      queue.joinSync();
    }));
});

describe('A SimpleQueue', () => {
  it('returns items in order', () =>
    withQueue(new SimpleQueue(), async (queue) => {
      expect(queue.empty()).to.equal(true);
      await queue.put(1);
      queue.putSync(2);
      expect(queue.empty()).to.equal(false);
      expect([await queue.get(), queue.getSync()]).to.deep.equal([1, 2]);
    }));

  it('resolves put when the item is in the pipe', () =>
    withQueue(new SimpleQueue<Buffer>(), async (queue) => {
      let ended = false;
      const put = queue.put(Buffer.alloc(3_000_000, 'x')).then(() => {
        ended = true;
      });
      await turns();
      expect(ended).to.equal(false);
      expect((await queue.get()).length).to.equal(3_000_000);
      await put;
    }));
});
