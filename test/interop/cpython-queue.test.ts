// SPDX-License-Identifier: MIT
//
// CPython's own tests of queues, from Lib/test/_test_multiprocessing.py, with another process in Node or Python. Titles
// that begin with `test_` name CPython's tests.
import { fstatSync } from 'node:fs';

import { expect } from 'chai';
import { JoinableQueue, Queue, SimpleQueue } from 'node-multiprocessing';

import { modes, rejects, type Mode } from '../helpers/index.js';
import { QueueCalls } from './support/queue-calls.js';
import { resourcesOf, withQueuePeer } from './support/queue-scene.js';

/** Defines a test of this process alone, async and sync. */
function here(
  title: string,
  make: () => Queue | SimpleQueue,
  body: (calls: QueueCalls, queue: JoinableQueue, mode: Mode) => Promise<void>,
): void {
  for (const mode of modes) {
    it(`${title} (within Node, ${mode})`, async () => {
      const queue = make() as JoinableQueue;
      try {
        await body(new QueueCalls(queue, mode), queue, mode);
      } finally {
        queue.close();
      }
    });
  }
}

/** Asserts that a call fails, and not before `ms` milliseconds. Timers may be early by less than a millisecond. */
async function failsNotBefore(ms: number, call: () => Promise<unknown>, code: string): Promise<void> {
  const start = performance.now();
  await rejects(call(), { code });
  expect(performance.now() - start).to.be.at.least(ms - 2);
}

const TIMEOUT = 120;

describe("CPython's _TestQueue", () => {
  withQueuePeer('test_put', { options: { maxsize: 6 } }, async ({ here: calls, queue, errors }, peer) => {
    expect([queue.empty(), queue.full()]).to.deep.equal([true, false]);
    await calls.put(1);
    await calls.put(2, true);
    await calls.put(3, true, undefined);
    await calls.put(4, false);
    await calls.put(5, false, undefined);
    calls.putNowait(6);
    expect([queue.empty(), queue.full()]).to.deep.equal([false, true]);
    for (const args of [
      [7, false],
      [7, false, undefined],
      [7, false, TIMEOUT],
    ] as const) {
      await rejects(calls.run('put', ...args), { code: errors.full });
    }
    await rejects(calls.run('putNowait', 7), { code: errors.full });
    await failsNotBefore(TIMEOUT, () => calls.run('put', 7, true, TIMEOUT), errors.full);
    await failsNotBefore(0, () => calls.run('put', 7, true, 0), errors.full);
    await failsNotBefore(0, () => calls.run('put', 7, true, -1), errors.full);
    expect(await peer.run('getMany', 6)).to.deep.equal([1, 2, 3, 4, 5, 6]);
    expect([queue.empty(), queue.full()]).to.deep.equal([true, false]);
  });

  withQueuePeer('test_get', {}, async ({ here: calls, queue, errors }, peer) => {
    expect(queue.empty()).to.equal(true);
    for (const item of [1, 2, 3, 4]) await peer.run('put', item);
    await peer.run('close');
    await peer.run('joinThread');
    expect([queue.empty(), queue.full()]).to.deep.equal([false, false]);
    expect(await calls.get(true)).to.equal(1);
    expect(await calls.get(true, undefined)).to.equal(2);
    expect(await calls.get(true, 20_000)).to.equal(3);
    expect(calls.getNowait()).to.equal(4);
    expect([queue.empty(), queue.full()]).to.deep.equal([true, false]);
    await rejects(calls.run('get', false), { code: errors.empty });
    await rejects(calls.run('get', false, TIMEOUT), { code: errors.empty });
    await rejects(calls.run('getNowait'), { code: errors.empty });
    await failsNotBefore(TIMEOUT, () => calls.run('get', true, TIMEOUT), errors.empty);
    await failsNotBefore(0, () => calls.run('get', true, 0), errors.empty);
    await failsNotBefore(0, () => calls.run('get', true, -1), errors.empty);
  });

  withQueuePeer('test_fork delivers what was put before the end of the process', {}, async ({ here: calls }, peer) => {
    // The test does not wait for the answer: the process ends as soon as it has put the last item.
    await peer.run('putMany', 20, 4000);
    await peer.peer.release();
    const sizes = await calls.sizes(20);
    expect(sizes).to.deep.equal(Array.from({ length: 20 }, (_, number) => [number, 4000]));
  });

  here(
    'test_qsize',
    () => new Queue(),
    async (calls, queue) => {
      const sizes = [queue.qsize()];
      await calls.put(1);
      sizes.push(queue.qsize());
      await calls.put(5);
      sizes.push(queue.qsize());
      await calls.get();
      sizes.push(queue.qsize());
      await calls.get();
      sizes.push(queue.qsize());
      expect(sizes).to.deep.equal([0, 1, 2, 1, 0]);
    },
  );

  withQueuePeer('test_qsize counts the items of both processes', {}, async ({ here: calls }, peer) => {
    expect(await peer.run('qsize')).to.equal(0);
    await calls.put(1);
    await peer.run('put', 2);
    expect([await peer.run('qsize'), calls.qsize()]).to.deep.equal([2, 2]);
    await peer.run('get');
    expect([await peer.run('qsize'), calls.qsize()]).to.deep.equal([1, 1]);
    await calls.get();
    expect([await peer.run('qsize'), await peer.run('empty')]).to.deep.equal([0, true]);
  });

  withQueuePeer('test_task_done', { kind: 'JoinableQueue' }, async (scene, first) => {
    const workers = [first, await scene.start(), await scene.start(), await scene.start()];
    const works = workers.map((worker) => worker.run('work') as Promise<number>);
    for (let item = 0; item < 10; item++) await scene.here.put(item);
    await scene.here.join();
    for (let i = 0; i < workers.length; i++) await scene.here.put(null);
    const counts = await Promise.all(works);
    expect(counts.reduce((sum, count) => sum + count)).to.equal(10);
    await scene.here.join();
  });

  withQueuePeer(
    'test_task_done works with the roles exchanged',
    { kind: 'JoinableQueue' },
    async ({ here: calls, errors }, peer) => {
      await peer.run('put', 'a');
      await peer.run('put', 'b');
      const join = peer.run('join');
      expect(await calls.get()).to.equal('a');
      await calls.taskDone();
      expect(await calls.get()).to.equal('b');
      await calls.taskDone();
      await join;
      await rejects(calls.run('taskDone'), { code: errors.taskDone });
      await peer.run('join');
    },
  );

  withQueuePeer(
    'test_task_done fails in the other process too if it is called too often',
    { kind: 'JoinableQueue' },
    async (_, peer, { errors }) => {
      await rejects(peer.run('taskDone'), { code: errors.taskDone });
    },
  );

  here(
    'test_timeout',
    () => new Queue(),
    async (calls) => {
      await failsNotBefore(200, () => calls.run('get', true, 200), 'ERR_MP_EMPTY');
    },
  );

  here(
    'test_queue_feeder_donot_stop_onexc and test_queue_feeder_on_queue_feeder_error reject the put',
    () => new Queue(1),
    async (calls, queue) => {
      const error = await rejects(
        calls.run('put', () => 0),
        { code: 'ERR_MP_PICKLING' },
      );
      expect(error.cause).to.be.an('error');
      expect(queue.qsize()).to.equal(0);
      await calls.put(true);
      expect([await calls.get(true, 20_000), queue.qsize(), queue.empty()]).to.deep.equal([true, 0, true]);
    },
  );

  for (const Class of [Queue, JoinableQueue]) {
    here(
      `test_closed_queue_empty_exceptions (${Class.name}, unused)`,
      () => new Class(),
      async (calls, queue) => {
        queue.close();
        await calls.joinThread();
        expect(queue.empty()).to.equal(true);
      },
    );

    here(
      `test_closed_queue_empty_exceptions (${Class.name}, used)`,
      () => new Class(),
      async (calls, queue) => {
        await calls.put('x');
        queue.close();
        await calls.joinThread();
        await rejects(calls.run('empty'), { code: 'ERR_MP_CLOSED' });
        // These two still answer, as in CPython.
        expect([queue.qsize(), queue.full()]).to.deep.equal([1, false]);
      },
    );

    here(
      `test_closed_queue_put_get_exceptions (${Class.name})`,
      () => new Class(),
      async (calls, queue) => {
        queue.close();
        await rejects(calls.run('put', 'x'), { code: 'ERR_MP_CLOSED' });
        await rejects(calls.run('get'), { code: 'ERR_MP_CLOSED' });
        await rejects(calls.run('putNowait', 'x'), { code: 'ERR_MP_CLOSED' });
        await rejects(calls.run('getNowait'), { code: 'ERR_MP_CLOSED' });
      },
    );
  }
});

describe("CPython's TestSimpleQueue", () => {
  here(
    'test_empty_exceptions',
    () => new SimpleQueue(),
    async (calls, queue) => {
      queue.close();
      await rejects(calls.run('empty'), { code: 'ERR_MP_CLOSED' });
    },
  );

  withQueuePeer('test_empty', { kind: 'SimpleQueue' }, async ({ here: calls, queue }, peer) => {
    expect(queue.empty()).to.equal(true);
    await peer.run('put', true);
    await peer.run('put', false);
    expect([queue.empty(), await calls.get(), await calls.get(), queue.empty()]).to.deep.equal([
      false,
      true,
      false,
      true,
    ]);
    await calls.put('back');
    expect([await peer.run('empty'), await peer.run('get'), await peer.run('empty')]).to.deep.equal([
      false,
      'back',
      true,
    ]);
  });

  here(
    'test_close',
    () => new SimpleQueue(),
    async (_, queue) => {
      queue.close();
      queue.close();
      return Promise.resolve();
    },
  );

  here(
    'test_closed',
    () => new SimpleQueue(),
    async (calls, queue) => {
      const { reader, writer } = resourcesOf(queue).pipe;
      const fds = [reader.fd, writer.fd];
      queue.close();
      expect(queue.closed).to.equal(true);
      for (const fd of fds)
        expect(() => fstatSync(fd))
          .to.throw()
          .with.property('code', 'EBADF');
      await rejects(calls.run('get'), { code: 'ERR_MP_CLOSED' });
      await rejects(calls.run('put', 1), { code: 'ERR_MP_CLOSED' });
    },
  );
});
