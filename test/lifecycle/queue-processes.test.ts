// SPDX-License-Identifier: MIT
//
// Queues between processes that mp.Process has started.
import { expect } from 'chai';
import { JoinableQueue, Pipe, Queue, type Connection, type Process } from 'node-multiprocessing';

import { track, turns, within } from '../helpers/index.js';
import { expectExactlyOnce, makePassAndDrop, resultsPipe, startRole, startTeller } from './support/queue-loops.js';
import { freshSeed } from '../helpers/random.js';

describe('Four producers and four consumers', function () {
  const seed = freshSeed();
  for (const maxsize of [1, 7, 0]) {
    it(`exchange every item exactly once (maxsize ${maxsize}, SEED=${seed})`, async function () {
      this.timeout(170_000);
      await expectExactlyOnce(1250, maxsize, seed);
    });
  }
});

describe('Queue.shutdown', function () {
  for (const immediate of [false, true]) {
    it(`ends the waits of other processes (immediate: ${immediate})`, async function () {
      const queue = new Queue<unknown>();
      const full = new Queue<unknown>(1);
      await full.put('the only item');
      const tellers = [
        startTeller('waitAndTell', (to) => [queue, 'get', to]),
        startTeller('waitAndTell', (to) => [full, 'put', to]),
        startTeller('loopAndTell', (to) => [queue, to]),
      ];
      for (const { results } of tellers) expect(await results.recv()).to.equal('waiting');
      queue.shutdown({ immediate });
      full.shutdown({ immediate });
      const told = [];
      for (const { results, process } of tellers) {
        told.push(await results.recv());
        await process.join();
      }
      expect(told).to.deep.equal(['ERR_MP_SHUT_DOWN', 'ERR_MP_SHUT_DOWN', []]);
      queue.close();
      full.close();
    });
  }

  it('lets other processes get what is left', async function () {
    const queue = new Queue<unknown>();
    for (const item of [1, 2, 3]) await queue.put(item);
    queue.shutdown();
    const { process, results } = startTeller('loopAndTell', (to) => [queue, to]);
    expect(await results.recv()).to.equal('waiting');
    expect(await results.recv()).to.deep.equal([1, 2, 3]);
    await process.join();
    queue.close();
  });
});

/** Sends signals, the first of which may come too early, until a process has reported. */
async function answerToSignals({ pid }: Process, results: Connection<never, unknown>): Promise<unknown> {
  let told: unknown;
  void results.recv().then((value) => (told = value));
  while (told === undefined) {
    process.kill(pid as number, 'SIGUSR2');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return told;
}

describe('A blocking put that a signal interrupts', function () {
  it('returns if the item was accepted', async function () {
    // Regression: it was an InterruptedError, and a repeated call put the item a second time.
    const queue = new Queue<unknown>({ highWaterMark: 1000 });
    const { process: producer, results } = startTeller('putInterrupted', (to) => [queue, to]);
    while (queue.empty()) await turns(1);
    expect(await answerToSignals(producer, results)).to.equal('done');
    expect(await queue.get()).to.have.length(4_000_000);
    await producer.join();
    expect(queue.stats().put).to.equal(1);
    queue.close();
  });
});

describe('A blocking get that a signal interrupts inside of an item', function () {
  it('leaves the rest to the event loop, which does not hold up the other members', async function () {
    // Regression: the process kept the lock of the readers until its next get.
    const LENGTH = 4_000_000;
    const queue = new Queue<unknown>();
    const producer = startRole('putNumbers', queue as Queue<number>, 1, LENGTH);
    while (queue.empty()) await turns(1);
    // With a part of the item in the pipe.
    process.kill(producer.pid as number, 'SIGSTOP');
    const [ours, theirs] = Pipe().map((end) => track(end)) as [Connection, Connection];
    const consumer = startRole('getInterrupted', queue, theirs);
    theirs.close();
    expect(await ours.recv()).to.equal('started');
    while (!queue.empty()) await turns(1);
    expect(await answerToSignals(consumer, ours)).to.equal('ERR_MP_INTERRUPTED');
    process.kill(producer.pid as number, 'SIGCONT');
    await queue.put('next');
    expect(await within(60_000, queue.get(), 'the next item')).to.equal('next');
    await ours.send('go on');
    expect(await within(60_000, ours.recv(), 'the first item')).to.equal(2);
    for (const each of [producer, consumer]) await each.join();
    queue.close();
  });
});

describe('The end of a process that has put items', function () {
  for (const [ending, size] of [
    ['natural', 100_000],
    ['exit', 100_000],
    ['throw', 100_000],
    // All but the first one are gathered.
    ['natural', 10],
    ['exit', 10],
    ['throw', 10],
  ] as const) {
    it(`waits until they are written (${ending}, ${size} bytes)`, async function () {
      const queue = new Queue<[number, Uint8Array]>();
      const [silent, theirs] = resultsPipe();
      theirs.close();
      silent.close();
      const child = startRole('putAndEnd', queue as Queue<unknown>, 10, size, ending);
      for (let number = 0; number < 10; number++) expect((await queue.get())[0]).to.equal(number);
      await child.join().catch(() => undefined);
      expect(child.exitcode).to.equal(ending === 'throw' ? 1 : 0);
      queue.close();
    });
  }

  it('does not wait after cancelJoinThread', async function () {
    const queue = new Queue<unknown>();
    const child = startRole('putAndEnd', queue, 10, 100_000, 'cancel');
    await child.join();
    expect(child.exitcode).to.equal(0);
    queue.close();
  });

  it('does not wait when no process can get them', async function () {
    const queue = new Queue<unknown>();
    const child = startRole('putAndEnd', queue, 10, 100_000, 'natural');
    // Now only the child can read.
    queue.close();
    await child.join();
    expect(child.exitcode).to.equal(0);
  });
});

describe('A producer whose event loop is busy', function () {
  // Regression: of many items put in one turn of the loop, all but the first 64 waited for the next turn. Three are gathered.
  for (const count of [3, 1000]) {
    it(`does not delay its items (${count})`, async function () {
      const queue = new Queue<[number, string]>();
      const [theirs, ours] = resultsPipe();
      const child = startRole('putAndWork', queue as Queue<unknown>, count, theirs as unknown as Connection);
      theirs.close();
      for (let number = 0; number < count; number++) expect((await queue.get())[0]).to.equal(number);
      await ours.send('all were got');
      await child.join();
      queue.close();
    });
  }
});

describe('The caveats of the introduction', function () {
  it('a consumer is not told that a producer was closed, has ended, or was dropped', async function () {
    const queue = new Queue<unknown>();
    const { process: consumer, results } = startTeller('waitAndTell', (to) => [queue, 'get', to]);
    expect(await results.recv()).to.equal('waiting');
    const producer = startRole('putNumbers', queue as Queue<number>, 0, 0);
    await producer.join();
    await turns(20);
    expect([consumer.isAlive(), await results.poll(50)]).to.deep.equal([true, false]);
    await queue.put('now');
    expect(await results.recv()).to.equal('done');
    await consumer.join();
    queue.close();
  });

  it('two sentinels leave one of three consumers running', async function () {
    const queue = new Queue<null>();
    const consumers = [0, 1, 2].map(() => startTeller('consume', (to) => [queue, 0, to]));
    await queue.put(null);
    await queue.put(null);
    const ended = new Set<number>();
    while (ended.size < 2) {
      for (const [i, { process }] of consumers.entries()) if (await process.join(20)) ended.add(i);
    }
    await turns(20);
    expect(consumers.filter(({ process }) => process.isAlive())).to.have.length(1);
    await queue.put(null);
    for (const { process } of consumers) await process.join();
    queue.close();
  });

  it('items may be left unprocessed without join', async function () {
    const queue = new JoinableQueue<number>();
    await queue.put(1);
    const join = queue.join({ timeout: 50 }).then(
      () => 'joined',
      (error: unknown) => (error as { code: string }).code,
    );
    expect([await join, queue.qsize()]).to.deep.equal(['ERR_MP_TIMEOUT', 1]);
    queue.close();
  });
});

describe('Queues that are made, passed to a child and dropped', function () {
  it('leave nothing behind', async function () {
    this.timeout(120_000);
    await makePassAndDrop(10);
  });
});
