// SPDX-License-Identifier: MIT
//
// A queue whose members die inside of items goes on, and all members learn what was lost. native/test/stream_test.cc kills
// members between any two steps; here whole processes use the queue.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';

import { expect } from 'chai';
import { attach, describe as reduce, JoinableQueue, Queue, type LostItems } from 'node-multiprocessing';

import { throws, turns, within } from '../helpers/index.js';
import { freshSeed, Random } from '../helpers/random.js';
import { startTeller } from './support/queue-loops.js';

/** More than a pipe holds, so that a member is inside of it for a while. */
const LARGE = 32 * 1024 * 1024;

/** So many items of up to 200,000 bytes are 14 MB, of which a pipe holds 1 MiB: the feeder waits for room. */
const MORE_THAN_FITS = 1000;

/** Resolves once the queue has lost as many items. */
function lost(queue: Queue<unknown>, count: number): Promise<LostItems> {
  return new Promise((resolve) => {
    queue.on('lost', function listener(items) {
      if (items.total < count) return;
      queue.off('lost', listener);
      resolve(items);
    });
  });
}

/** Resolves once so many items were accepted. */
async function accepted(queue: Queue<unknown>, count: number): Promise<void> {
  while (queue.qsize() < count) await turns(1);
}

describe('A queue whose member dies inside of an item', function () {
  it('drops the item that its reader was reading, and no other', async function () {
    // Regression: the queue was broken for all members.
    const queue = new Queue<unknown>();
    const told = lost(queue, 1);
    await queue.put(Buffer.alloc(LARGE));
    await queue.put('next');
    const { process, results } = startTeller('takeForEver', (to) => [queue, to, false]);
    expect(await results.recv()).to.equal('started');
    await turns(5);
    process.kill();
    await process.join();
    const item = await within(60_000, queue.get(), 'the next item');
    if (item !== 'next') {
      // The reader had not taken a byte yet.
      expect(item).to.have.length(LARGE);
      expect(await queue.get()).to.equal('next');
    } else {
      const { count, total } = await within(60_000, told, 'the loss');
      expect([count, total, queue.stats().lost]).to.deep.equal([1, 1, 1]);
      expect(queue.stats().recoveries).to.be.at.least(1);
    }
    expect([queue.stats().depth, queue.qsize()]).to.deep.equal([0, 0]);
    queue.close();
  });

  it('drops the item that its writer was writing, and goes on with those of others', async function () {
    // Regression: the queue was broken for all members.
    const queue = new Queue<unknown>({ maxsize: 3 });
    const { process, results } = startTeller('putForEver', (to) => [queue, to, 1, 8_000_000]);
    expect(await results.recv()).to.equal('started');
    for (let i = 0; i < 20; i++) await within(60_000, queue.get(), `item ${i}`);
    process.kill();
    await process.join();
    // The items that are whole may fill the queue, so this put may wait for the first get.
    const mine = queue.put('mine');
    const seen: unknown[] = [];
    while (seen.at(-1) !== 'mine') seen.push(await within(60_000, queue.get(), 'an item'));
    await mine;
    // Every slot is free again.
    for (const item of [1, 2, 3]) await within(60_000, queue.put(item), 'a slot');
    expect([await queue.get(), await queue.get(), await queue.get()]).to.deep.equal([1, 2, 3]);
    const { put, got, lost: count } = queue.stats();
    expect(queue.stats().depth).to.equal(0);
    expect(put - got).to.be.at.most(count);
    queue.close();
  });

  it('can be joined: lost items count as finished', async function () {
    // Regression: join waited for ever for the items that a killed producer had accepted.
    const queue = new JoinableQueue<unknown>();
    const { process, results } = startTeller('putForEver', (to) => [queue, to, 2, 200_000]);
    expect(await results.recv()).to.equal('started');
    await within(60_000, accepted(queue, MORE_THAN_FITS), 'the items');
    process.kill();
    await process.join();
    for (;;) {
      const found = await queue.get({ timeout: 1000 }).catch((error: unknown) => (error as { code: string }).code);
      if (found === 'ERR_MP_EMPTY') break;
      expect(found).to.be.an('array');
      await queue.taskDone();
    }
    await within(60_000, queue.join(), 'join');
    expect(queue.stats().lost).to.be.at.least(1);
    queue.close();
  });

  it('can be joined when a consumer was killed with an item', async function () {
    // Regression: join waited for ever for the taskDone of the killed consumer.
    const queue = new JoinableQueue<unknown>();
    const { process, results } = startTeller('takeForEver', (to) => [queue, to, false]);
    expect(await results.recv()).to.equal('started');
    for (let i = 0; i < 3; i++) await queue.put(i);
    while (queue.stats().got < 3) await turns(1);
    process.kill();
    await process.join();
    await within(60_000, queue.join(), 'join');
    expect(queue.stats().lost).to.equal(3);
    queue.close();
  });

  it('counts as lost no item that was not accepted, and returns the slot that was taken for it', async function () {
    // Regression: the slot counted as a lost item.
    const queue = new Queue<unknown>({ maxsize: 3 });
    const { process, results } = startTeller('waitForSlot', (to) => [queue, 3, to]);
    expect(await results.recv()).to.equal('waiting');
    expect(await queue.get()).to.equal(0);
    await within(60_000, accepted(queue, 3), 'the slot');
    process.kill();
    await process.join();
    for (const item of [1, 2]) expect(await queue.get()).to.equal(item);
    expect(queue.stats()).to.include({ put: 3, got: 3, lost: 0 });
    expect(queue.qsize()).to.equal(0);
    queue.close();
  });

  const seed = freshSeed();
  it(`counts what is unfinished right while members are killed (SEED=${seed})`, async function () {
    // Regression: a slot that a killed producer had taken for a put that still waited counted as a lost item. So too few
    // items were unfinished, and taskDone failed for an item that was got.
    const random = new Random(seed);
    const queue = new JoinableQueue<unknown>({ maxsize: 10 });
    for (let kill = 0; kill < 12; kill++) {
      const most = random.pick([2, 1000, 20_000]);
      const producer = startTeller('putForEver', (to) => [queue, to, seed + kill, most]);
      const consumer = kill % 3 === 0 ? startTeller('takeForEver', (to) => [queue, to, false]) : undefined;
      for (const each of [producer, consumer]) expect(await (each?.results.recv() ?? 'started')).to.equal('started');
      for (let i = random.below(40); i > 0; i--) {
        await within(60_000, queue.get(), `an item before kill ${kill}`);
        await queue.taskDone();
      }
      consumer?.process.kill();
      await consumer?.process.join();
      await within(60_000, accepted(queue, 10), 'a full queue');
      // The producer's put waits, and takes the slot of this item.
      await queue.get();
      producer.process.kill();
      await producer.process.join();
      await queue.taskDone();
    }
    const end = queue.put('end');
    for (let item: unknown; item !== 'end';) {
      item = await within(60_000, queue.get(), 'the items that are left');
      await queue.taskDone();
    }
    await end;
    await within(60_000, queue.join(), 'join');
    expect([queue.stats().depth, queue.qsize()]).to.deep.equal([0, 0]);
    throws(
      () => {
        queue.taskDoneSync();
      },
      { code: 'ERR_MP_TASK_DONE' },
    );
    queue.close();
  });

  it('leaves items unfinished that another member may finish', async function () {
    const queue = new JoinableQueue<unknown>();
    const { process, results } = startTeller('takeForEver', (to) => [queue, to, false]);
    expect(await results.recv()).to.equal('started');
    for (let i = 0; i < 3; i++) await queue.put(i);
    while (queue.stats().got < 3) await turns(1);
    await queue.taskDone();
    process.kill();
    await process.join();
    expect(queue.stats().lost).to.equal(0);
    await queue.taskDone();
    await queue.taskDone();
    await queue.join();
    queue.close();
  });

  it('tells every member and the diagnostics channel', async function () {
    const published: unknown[] = [];
    const subscriber = (message: unknown): void => void published.push(message);
    subscribe('node-multiprocessing:queue.lost', subscriber);
    const queue = new Queue<unknown>();
    const other = attach(reduce(queue, { nodeOnly: true })) as Queue<unknown>;
    const told = Promise.all([lost(queue, 1), lost(other, 1)]);
    const { process, results } = startTeller('putForEver', (to) => [queue, to, 3, 200_000]);
    expect(await results.recv()).to.equal('started');
    await within(60_000, accepted(queue, MORE_THAN_FITS), 'the items');
    process.kill();
    await process.join();
    // The feeder may have been between two items. Then the next call that finds none finds what is lost.
    while ((await queue.get({ timeout: 1000 }).catch(() => undefined)) !== undefined);
    await within(60_000, told, 'the events');
    await turns(2);
    expect(published.length).to.be.at.least(1);
    unsubscribe('node-multiprocessing:queue.lost', subscriber);
    other.close();
    queue.close();
  });
});

describe('Queue.stats', function () {
  it('counts what all members have put and got', async function () {
    const queue = new Queue<unknown>();
    const other = attach(reduce(queue, { nodeOnly: true })) as Queue<unknown>;
    await queue.put(1);
    await other.put(2);
    await other.get();
    for (const member of [queue, other]) {
      expect(member.stats()).to.deep.equal({ put: 2, got: 1, lost: 0, recoveries: 0, depth: 1 });
    }
    other.close();
    queue.close();
    throws(() => queue.stats(), { code: 'ERR_MP_CLOSED' });
  });

  it('is not supported once a program may use the queue that counts nothing', async function () {
    const queue = new Queue<unknown>();
    await queue.put('before');
    reduce(queue);
    throws(() => queue.stats(), { code: 'ERR_MP_NOT_SUPPORTED' });
    await queue.put('after');
    expect([await queue.get(), await queue.get()]).to.deep.equal(['before', 'after']);
    queue.close();
  });

  it('has one event, and a listener is a function', function () {
    const queue = new Queue<unknown>();
    throws(() => queue.on('found' as 'lost', () => undefined), { code: 'ERR_INVALID_ARG_TYPE' });
    throws(() => queue.on('lost', 1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
    queue.close();
  });
});
