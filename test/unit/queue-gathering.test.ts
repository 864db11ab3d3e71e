// SPDX-License-Identifier: MIT
//
// Puts of one turn of the event loop, of which the later ones are gathered and written together.
import { expect } from 'chai';
import { JoinableQueue, Queue, SimpleQueue, type BaseQueue } from 'node-multiprocessing';

import { throws } from '../helpers/index.js';
import { withQueue } from './support/queues.js';

const makers: [string, () => BaseQueue<unknown>][] = [
  ['Queue', () => new Queue()],
  ['Queue with few slots', () => new Queue(7)],
  ['Queue with a low mark', () => new Queue({ highWaterMark: 1000 })],
  ['JoinableQueue', () => new JoinableQueue()],
  ['SimpleQueue', () => new SimpleQueue()],
  ['JoinableQueue with leases', () => new JoinableQueue({ leases: true })],
];

for (const [name, make] of makers) {
  describe(`The puts of one turn on a ${name}`, () => {
    it('keep their order, whatever their sizes', () =>
      withQueue(make(), async (queue) => {
        const sizes = [3, 10, 4000, 20, 5000, 0, 100_000, 30, 70_000, 40, ...Array.from({ length: 300 }, (_, i) => i)];
        const puts = Promise.all(sizes.map((size) => queue.put('x'.repeat(size))));
        const got: number[] = [];
        while (got.length < sizes.length) got.push(((await queue.get()) as string).length);
        await puts;
        expect(got).to.deep.equal(sizes);
      }));

    it('are there for the calls of this process that follow', () =>
      withQueue(make(), (queue) => {
        for (let i = 0; i < 4; i++) void queue.put(i);
        expect(queue.empty()).to.equal(false);
        expect(queue.getSync({ block: false })).to.equal(0);
        expect(queue.getManySync(10, { block: false })).to.deep.equal([1, 2, 3]);
        throws(() => queue.getSync({ block: false }), { code: 'ERR_MP_EMPTY' });
      }));
  });
}

describe('A put that follows gathered ones', () => {
  for (const how of ['putSync', 'putNowait'] as const) {
    it(`comes behind them (${how})`, () =>
      withQueue(new Queue<number>(), (queue) => {
        for (let i = 0; i < 3; i++) void queue.put(i);
        queue[how](3);
        void queue.put(4);
        expect(queue.getManySync()).to.deep.equal([0, 1, 2, 3, 4]);
      }));
  }

  it('does not keep joinThread from resolving when all are written', () =>
    withQueue(new Queue<number>(), async (queue) => {
      for (let i = 0; i < 5; i++) void queue.put(i);
      queue.close();
      await queue.joinThread();
    }));
});
