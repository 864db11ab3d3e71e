// SPDX-License-Identifier: MIT
//
// Members of a queue with leases that end, are killed or stop. native/test/lease_kill_test.cc kills members between two
// instructions, and the stress tests at many more random moments.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

import { expect } from 'chai';
import { describe as describeObject, JoinableQueue, Pipe, Queue, type Connection } from 'node-multiprocessing';

import { rejects, track, within } from '../helpers/index.js';
import { freshSeed, Random } from '../helpers/random.js';
import { expectNothingLost, kill, startLeaseRole } from './support/lease-loops.js';

const small = { leases: true, leaseBytes: 64 * 1024 } as const;

describe('A consumer of a queue with leases', () => {
  it('that is killed gives back what it has, to a get that waits', async () => {
    const queue = new JoinableQueue<unknown>(small);
    for (const item of [1, 2, 3]) await queue.put(item);
    const consumer = startLeaseRole('keepItems', (to) => [queue, to, 2]);
    expect(await consumer.results.recv()).to.deep.equal([1, 1]);
    expect(await queue.get()).to.equal(3);
    const waiting = [queue.getLease(), queue.getLease()];
    await kill(consumer);
    const leases = await within(30_000, Promise.all(waiting), 'the items of the dead consumer');
    expect(leases.map(({ item, deliveries }) => [item, deliveries])).to.deep.equal([
      [1, 2],
      [2, 2],
    ]);
    for (const lease of leases) await lease.done();
    await queue.taskDone();
    await queue.join();
    queue.close();
  });

  it('that is killed gives back what it has, to a blocking get', async () => {
    const queue = new JoinableQueue<unknown>(small);
    await queue.put(1);
    const consumer = startLeaseRole('keepItems', (to) => [queue, to, 1]);
    expect(await consumer.results.recv()).to.deep.equal([1]);
    await kill(consumer);
    expect(queue.getLeaseSync({ timeout: 30_000 }).deliveries).to.equal(2);
    queue.close();
  });

  it('that is killed makes room for a put that waits, when another consumer has finished its item', async () => {
    const queue = new JoinableQueue<unknown>(small);
    await queue.put(Buffer.alloc(60_000));
    const consumer = startLeaseRole('keepItems', (to) => [queue, to, 1]);
    expect(await consumer.results.recv()).to.deep.equal([1]);
    const putting = queue.put(Buffer.alloc(50_000));
    await kill(consumer);
    const lease = await within(30_000, queue.getLease(), 'the item of the dead consumer');
    await lease.done();
    await within(30_000, putting, 'the put');
    queue.close();
  });

  it('that is stopped keeps what it has, and finishes it later', async () => {
    const queue = new JoinableQueue<unknown>(small);
    await queue.put(1);
    const { process: consumer, results } = startLeaseRole('finishWhenTold', (to) => [queue, to]);
    expect(await results.recv()).to.equal('has it');
    process.kill(consumer.pid as number, 'SIGSTOP');
    await rejects(queue.get({ timeout: 1500 }), { code: 'ERR_MP_EMPTY' });
    const late = await rejects(queue.join({ timeout: 10 }), { code: 'ERR_MP_TIMEOUT', waiting: 0 });
    const { holders } = late as unknown as { holders: { pid: number; count: number; ms: number }[] };
    expect(holders.map(({ pid, count }) => [pid, count])).to.deep.equal([[consumer.pid, 1]]);
    expect((holders[0] as { ms: number }).ms).to.be.at.least(1500);
    process.kill(consumer.pid as number, 'SIGCONT');
    process.kill(consumer.pid as number, 'SIGUSR2');
    expect(await results.recv()).to.equal('finished');
    await queue.join();
    await consumer.join();
    queue.close();
  });

  it('ends its lease at the end of its program, although another member has the lock just then', async () => {
    // Regression: the process ended first, and the item was handed out again.
    const queue = new JoinableQueue<unknown>(small);
    await queue.put(1);
    const { process: consumer, results } = startLeaseRole('finishLate', (to) => [queue, to]);
    expect(await within(60_000, consumer.join(), 'the end of the consumer')).to.equal(true);
    expect(await results.recv()).to.equal('finished');
    await queue.join();
    queue.close();
  });

  it('ends its lease by a second call, when a signal has interrupted the first', async () => {
    // Regression: the second call was a TaskDoneError, and the item stayed leased.
    const queue = new JoinableQueue<unknown>(small);
    await queue.put(1);
    const { process: consumer, results } = startLeaseRole('finishInterrupted', (to) => [queue, to]);
    expect(await results.recv()).to.equal('finishes');
    let told: unknown;
    void results.recv().then((code) => (told = code));
    while (told === undefined && consumer.isAlive()) {
      process.kill(consumer.pid as number, 'SIGUSR2');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await consumer.join();
    expect(told).to.equal('ERR_MP_INTERRUPTED');
    await queue.join();
    queue.close();
  });

  for (const how of ['terminate', 'exit'] as const) {
    it(`that is a worker thread counts as dead when the thread ends (${how})`, async () => {
      const queue = new JoinableQueue<unknown>(small);
      await queue.put(1);
      const worker = new Worker(new URL('./children/lease-worker.js', import.meta.url), {
        workerData: describeObject(queue, { nodeOnly: true }),
      });
      expect(await once(worker, 'message')).to.deep.equal([1]);
      const late = await rejects(queue.join({ timeout: 10 }), { code: 'ERR_MP_TIMEOUT' });
      const { holders } = late as unknown as { holders: { pid: number; thread: number }[] };
      expect(holders.map(({ pid, thread }) => [pid, thread])).to.deep.equal([[process.pid, worker.threadId]]);
      const again = queue.getLease();
      if (how === 'terminate') await worker.terminate();
      else {
        worker.postMessage('end');
        await once(worker, 'exit');
      }
      const lease = await within(30_000, again, 'the item of the worker');
      expect(lease.deliveries).to.equal(2);
      await lease.done();
      await queue.join();
      queue.close();
    });
  }

  it('gets the queue in a message, too', async () => {
    const queue = new JoinableQueue<unknown>(small);
    const [ours, theirs]: [Connection, Connection] = Pipe();
    await track(ours).send(queue);
    const received = (await track(theirs).recv()) as JoinableQueue;
    await queue.put('by message');
    expect(await received.get()).to.equal('by message');
    received.close();
    expect((await queue.getLease()).deliveries).to.equal(2);
    queue.close();
  });
});

describe('A queue with leases', () => {
  it('moves an item that kills its consumers to the dead letters, and goes on', async () => {
    const letters = new Queue<string>();
    const queue = new JoinableQueue<string>({ ...small, maxDeliveries: 3, deadLetters: letters });
    await queue.put('poison');
    for (const item of ['one', 'two', 'three']) await queue.put(item);
    let deaths = 0;
    const keepOne = async (): Promise<void> => {
      for (;;) {
        const { process: consumer } = startLeaseRole('dieOf', () => [queue, 'poison']);
        const lived = await Promise.race([consumer.join().then(() => false), queue.join().then(() => true)]);
        if (lived) {
          await kill({ process: consumer });
          return;
        }
        deaths++;
      }
    };
    await within(120_000, keepOne(), 'the queue is finished');
    expect(deaths).to.equal(3);
    expect(await letters.get()).to.equal('poison');
    queue.close();
    letters.close();
  });

  it('keeps what was put by a producer that was killed, and the room of what was not', async () => {
    const queue = new JoinableQueue<Buffer>({ leases: true, leaseBytes: 2_000_000 });
    const largest = 1_999_000;
    for (let i = 0; i < 10; i++) {
      const producer = startLeaseRole('putLargest', (to) => [queue, to, largest]);
      expect(await producer.results.recv()).to.equal('started');
      const first = await within(30_000, queue.get(), 'the first item');
      expect(first.length).to.equal(largest);
      await queue.taskDone();
      await kill(producer);
      // An item that was put may lie in the room that this put waits for, until the death of its producer is noticed.
      const put = queue.put(Buffer.alloc(largest, 1), { timeout: 60_000 });
      for (let byte = 0; byte !== 1;) {
        const item = await within(60_000, queue.get(), 'an item');
        expect(item.length).to.equal(largest);
        await queue.taskDone();
        byte = item[0] as number;
      }
      await put;
    }
    await queue.join();
    queue.close();
  });

  for (const what of ['get', 'put', 'join'] as const) {
    it(`is not changed by the death of a member that waits in ${what}`, async () => {
      const queue = new JoinableQueue<unknown>(small);
      if (what !== 'get') await queue.put(Buffer.alloc(50_000));
      const waiting = startLeaseRole('waitFor', (to) => [queue, to, what]);
      expect(await waiting.results.recv()).to.equal(what);
      await kill(waiting);
      if (what !== 'get') {
        await queue.get();
        await queue.taskDone();
      }
      await queue.join({ timeout: 30_000 });
      const getting = queue.get();
      await queue.put('after');
      expect(await within(30_000, getting, 'get')).to.equal('after');
      queue.close();
    });
  }

  const seed = freshSeed();
  it(`loses no item when members are killed at random moments, 30 times (SEED=${seed})`, async function () {
    this.timeout(170_000);
    const random = new Random(seed);
    for (let round = 0; round < 3; round++) await expectNothingLost(10, random);
  });
});
