// SPDX-License-Identifier: MIT
//
// Processes with a queue that are killed. The stress tests kill at 500 random moments.
import { expect } from 'chai';
import { JoinableQueue, Queue } from 'node-multiprocessing';

import { turns } from '../helpers/index.js';
import { expectNobodyHangs, startRole, startTeller } from './support/queue-loops.js';
import { freshSeed } from '../helpers/random.js';

async function kill(process: { kill(): void; join(): Promise<unknown> }): Promise<void> {
  process.kill();
  await process.join();
}

describe('A member of a queue that is killed', function () {
  it('changes nothing for the others while it waits for an item', async function () {
    const queue = new JoinableQueue<unknown>();
    const { process, results } = startTeller('takeForEver', (to) => [queue, to, true]);
    expect(await results.recv()).to.equal('started');
    await queue.put('one');
    await queue.join();
    await turns(10);
    await kill(process);
    await queue.put('two');
    expect([await queue.get(), queue.qsize()]).to.deep.equal(['two', 0]);
    const other = startTeller('takeForEver', (to) => [queue, to, true]);
    await queue.taskDone();
    await queue.put('three');
    await queue.join();
    await kill(other.process);
    queue.close();
  });

  it('changes nothing for the others while it waits for a slot', async function () {
    const queue = new Queue<unknown>(1);
    await queue.put('one');
    const { process, results } = startTeller('waitAndTell', (to) => [queue, 'put', to]);
    expect(await results.recv()).to.equal('waiting');
    await turns(10);
    await kill(process);
    expect(await queue.get()).to.equal('one');
    await queue.put('two');
    expect([await queue.get(), queue.qsize()]).to.deep.equal(['two', 0]);
    queue.close();
  });

  it('changes nothing for the others after it has put all its items', async function () {
    const queue = new Queue<unknown>();
    const { process, results } = startTeller('takeForEver', (to) => [queue, to, false]);
    expect(await results.recv()).to.equal('started');
    await kill(process);
    const producer = startRole('putNumbers', queue as Queue<number>, 100, 0);
    for (let i = 0; i < 100; i++) expect(await queue.get()).to.equal(i);
    await producer.join();
    queue.close();
  });

  it('gives its slots back when its items do not fit the pipe', async function () {
    const queue = new Queue<unknown>(3);
    const { process, results } = startTeller('putForEver', (to) => [queue, to, 1, 8_000_000]);
    expect(await results.recv()).to.equal('started');
    await turns(50);
    await kill(process);
    const outcomes: unknown[] = [];
    // As many rounds as there are slots: none may be lost, unless the queue is broken and the error says so.
    for (let i = 0; i < 3; i++) {
      outcomes.push(
        await queue.get({ timeout: 100 }).catch((error: unknown) => (error as { code: string }).code),
        await queue.put('mine', { timeout: 5000 }).catch((error: unknown) => (error as { code: string }).code),
      );
    }
    expect(outcomes).not.to.include('ERR_MP_FULL');
    queue.cancelJoinThread();
    queue.close();
  });
});

describe('Members of a queue that are killed at random moments', function () {
  const seed = freshSeed();
  it(`leave no member waiting for ever, 10 times (SEED=${seed})`, async function () {
    this.timeout(170_000);
    await expectNobodyHangs(10, seed);
  });
});
