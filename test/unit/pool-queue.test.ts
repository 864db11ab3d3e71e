// SPDX-License-Identifier: MIT
import { expect } from 'chai';

import { TaskQueue } from '#lib/pool/task-queue.js';
import { Task, type Job } from '#lib/pool/task.js';

import { freshSeed, Random } from '../helpers/random.js';

interface Worker {
  readonly name: string;
}

function job(priority = 0, key?: unknown, ahead = false): Job {
  const limits = { timeout: Infinity, queueTimeout: Infinity, signal: undefined, priority, key, retries: 0 };
  const nothing = (): void => undefined;
  const base = {
    mode: 'call',
    target: undefined,
    args: [],
    kwargs: undefined,
    credits: 0,
    context: undefined,
    owner: {},
    ahead,
  } as const;
  return { ...base, limits, done: nothing, failed: nothing };
}

const ends = { ended: (): void => undefined };

describe('The queue of a pool', () => {
  let queue: TaskQueue<Worker>;
  let last: number;
  const a: Worker = { name: 'a' };
  const b: Worker = { name: 'b' };
  beforeEach(() => {
    queue = new TaskQueue();
    last = 0;
  });

  function push(priority = 0, key?: unknown): Task {
    const task = new Task(++last, job(priority, key), ends);
    queue.push(task);
    return task;
  }

  it('gives out tasks by priority, and in their order within one', () => {
    const tasks = [push(0), push(1), push(-1), push(1), push(0)];
    const order = [1, 3, 0, 4, 2].map((i) => tasks[i]);
    expect(order.map(() => queue.take(a))).to.deep.equal(order);
    expect(queue.take(a)).to.equal(undefined);
    expect(queue.length).to.equal(0);
  });

  it('gives out tasks that are repeated before all others', () => {
    push(5);
    const again = new Task(9, job(0), ends);
    queue.unshift(again);
    expect(queue.take(a)).to.equal(again);
  });

  it('gives out ahead only the first task, and only if it may be', () => {
    const task = new Task(9, job(0, undefined, true), ends);
    queue.push(task);
    const urgent = push(1);
    expect(queue.takeAhead()).to.equal(undefined);
    expect(queue.take(a)).to.equal(urgent);
    const again = new Task(10, job(0), ends);
    queue.unshift(again);
    expect(queue.takeAhead()).to.equal(undefined);
    expect(queue.take(a)).to.equal(again);
    expect(queue.takeAhead()).to.equal(task);
    expect(queue.length).to.equal(0);
  });

  it('keeps a key with the worker that had it first, also for tasks that were queued before', () => {
    const [first, second, other] = [push(0, 'k'), push(0, 'k'), push()];
    expect(queue.take(a)).to.equal(first);
    expect(queue.take(b)).to.equal(other);
    expect(queue.take(b)).to.equal(undefined);
    expect(queue.hasShared).to.equal(false);
    expect(queue.take(a)).to.equal(second);
  });

  it('gives the tasks of a key to others when its worker is gone', () => {
    push(0, 'k');
    expect(queue.take(a)).to.not.equal(undefined);
    const second = push(0, 'k');
    expect(queue.take(b)).to.equal(undefined);
    queue.forget(a);
    expect(queue.hasShared).to.equal(true);
    expect(queue.take(b)).to.equal(second);
  });

  it('skips and does not count tasks that are settled', () => {
    const [first, second, third] = [push(), push(0), push(0)];
    first.failed(new Error('aborted'));
    third.failed(new Error('aborted'));
    expect(queue.length).to.equal(1);
    expect(queue.take(a)).to.equal(second);
    expect(queue.take(a)).to.equal(undefined);
    expect(queue.length).to.equal(0);
  });

  const seed = freshSeed();
  it(`gives out each task once, whatever happens (seed ${seed})`, () => {
    const random = new Random(seed);
    const workers = Array.from({ length: 4 }, (_, i): Worker => ({ name: String(i) }));
    const waiting = new Set<Task>();
    for (let step = 0; step < 5000; step++) {
      const choice = random.below(10);
      if (choice < 5) {
        waiting.add(push(random.below(3), random.below(2) === 0 ? random.below(5) : undefined));
      } else if (choice < 8) {
        const task = queue.take(random.pick(workers));
        if (task !== undefined) expect(waiting.delete(task)).to.equal(true);
      } else if (choice === 8) {
        queue.forget(random.pick(workers));
      } else if (waiting.size > 0) {
        const task = random.pick([...waiting]);
        waiting.delete(task);
        task.failed(undefined);
      }
      expect(queue.length).to.equal(waiting.size);
    }
    const left = queue.clear();
    expect(left).to.have.length(waiting.size);
    for (const task of left) expect(waiting.delete(task)).to.equal(true);
    expect(queue.length).to.equal(0);
  });
});
