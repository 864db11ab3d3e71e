// SPDX-License-Identifier: MIT
//
// What pools of both languages do with the calls of a program: results, order, errors, streams, options of tasks.
import { AsyncLocalStorage } from 'node:async_hooks';

import { expect } from 'chai';
import { Pipe, RemoteError, type LogEvent } from 'node-multiprocessing';

import { instance, rejects, track, within } from '../helpers/index.js';
import { endPools, kinds, Lines, nodeKind } from './support/pools.js';

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

for (const kind of kinds) {
  describe(`Calls of a ${kind.name}`, () => {
    afterEach(endPools);

    it('onProgress is told how far the task has got, before its end and in the context of the call', async () => {
      const pool = kind.make('report_progress', { processes: 1 });
      const storage = new AsyncLocalStorage<string>();
      const seen: unknown[] = [];
      const onProgress = (...args: unknown[]): void => void seen.push([storage.getStore(), ...args]);
      const calls = ['a', 'b'].map((id) => storage.run(id, () => pool.apply([], { onProgress })));
      expect(await within(60_000, Promise.all(calls), 'the tasks')).to.deep.equal(['reported', 'reported']);
      const steps = [
        [1, 2],
        [0.5, undefined],
        [2, 2],
      ];
      expect(seen).to.deep.equal(['a', 'b'].flatMap((id) => steps.map((step) => [id, ...step])));
      // A task without onProgress reports to nothing.
      expect(await pool.apply([])).to.equal('reported');
    });

    it('apply resolves to the result of the function, of another function, and of an async one', async () => {
      const pool = kind.make('add');
      expect(await pool.apply([3, 4])).to.equal(7);
      expect(await pool.apply([[1, { a: 2 }]], { target: kind.target('echo') })).to.deep.equal([1, { a: 2 }]);
      expect(await pool.apply([3, 4], { target: kind.target('add_async') })).to.equal(7);
    });

    it('map and starmap resolve to the results in order, whatever the size of the chunks', async () => {
      const pool = kind.make('add');
      const items = Array.from({ length: 100 }, (_, i) => i);
      expect(await pool.map(items)).to.deep.equal(items);
      expect(await pool.map(new Set(items), { chunksize: 7 })).to.deep.equal(items);
      expect(await pool.map([])).to.deep.equal([]);
      const pairs = items.map((i) => [i, 1]);
      expect(await pool.starmap(pairs, { chunksize: 1000 })).to.deep.equal(items.map((i) => i + 1));
      async function* source(): AsyncGenerator<number> {
        for (const item of items) yield await Promise.resolve(item);
      }
      expect(await pool.map(source())).to.deep.equal(items);
      expect(await pool.map([Promise.resolve(1), 2])).to.deep.equal([1, 2]);
      expect(await pool.map(new Set([Promise.resolve(1), 2]))).to.deep.equal([1, 2]);
    });

    it('map rejects with the first error of an item, and the pool goes on', async () => {
      const pool = kind.make('square_or_fail');
      const error = await rejects(pool.map([1, 2, 3, 4], { chunksize: 1 }), { code: 'ERR_MP_REMOTE' });
      expect(instance(error, RemoteError).type).to.equal(kind.errorName);
      expect(await pool.map([1, 2])).to.deep.equal([1, 4]);
    });

    it('imap takes its input as its results are taken, and keeps their order', async () => {
      const pool = kind.make('echo');
      let taken = 0;
      let ended = false;
      function* input(): Generator<number> {
        try {
          for (;;) yield taken++;
        } finally {
          ended = true;
        }
      }
      const results = pool.imap(input(), { buffersize: 3 });
      for (let i = 0; i < 10; i++) {
        expect(await results.next()).to.deep.equal({ done: false, value: i });
        expect(taken).to.be.at.most(i + 5);
      }
      await results.return();
      expect(ended).to.equal(true);
      expect(await results.next()).to.deep.equal({ done: true, value: undefined });
      expect(await pool.apply([1])).to.equal(1);
    });

    it('imap gives the results before an error, then the error, and ends', async () => {
      const pool = kind.make('square_or_fail');
      const results = pool.imap([1, 2, 3, 4], { chunksize: 1 });
      expect((await results.next()).value).to.equal(1);
      expect((await results.next()).value).to.equal(4);
      await rejects(results.next(), { code: 'ERR_MP_REMOTE' });
      expect((await results.next()).done).to.equal(true);
    });

    it('imap passes on an error of its input, after the results before it', async () => {
      const pool = kind.make('echo');
      function* input(): Generator<number> {
        yield 1;
        throw new RangeError('no more');
      }
      const results = pool.imap(input());
      expect((await results.next()).value).to.equal(1);
      await rejects(results.next(), { name: 'RangeError' });
    });

    it('imapUnordered gives each result once, in chunks too', async () => {
      const pool = kind.make('echo');
      const items = Array.from({ length: 50 }, (_, i) => i);
      const results = await collect(pool.imapUnordered(items, { chunksize: 3 }));
      expect(results.sort((a, b) => a - b)).to.deep.equal(items);
    });

    it('stream gives what a generator yields, sync or async, beyond its buffer', async () => {
      const pool = kind.make('count');
      expect(await collect(pool.stream([100], { buffersize: 3 }))).to.deep.equal([...Array(100).keys()]);
      const more = pool.stream([40], { target: kind.target('count_async') });
      expect(await collect(more)).to.deep.equal([...Array(40).keys()]);
      expect(await collect(pool.stream([0]))).to.deep.equal([]);
    });

    it('stream rejects with the error of the generator, after its items', async () => {
      const pool = kind.make('count_and_fail');
      const items = pool.stream([2]);
      expect((await items.next()).value).to.equal(0);
      expect((await items.next()).value).to.equal(1);
      await rejects(items.next(), { code: 'ERR_MP_REMOTE', type: kind.errorName });
      expect(await items.next()).to.deep.equal({ done: true, value: undefined });
    });

    it('return() of a stream closes the generator in the worker, which serves the next task', async () => {
      const pool = kind.make('count', { processes: 1 });
      const lines = new Lines(pool);
      const pid = await pool.apply([], { target: kind.target('pid') });
      const items = pool.stream([1e9]);
      for (let i = 0; i < 10; i++) await items.next();
      await items.return();
      await lines.next(/^closed$/);
      expect(await pool.apply([], { target: kind.target('pid') })).to.equal(pid);
    });

    it('return() of a stream ends a generator that does not come to its next item', async () => {
      const pool = kind.make('one_and_wait', { processes: 1, killTimeout: 100 });
      const lines = new Lines(pool);
      const items = pool.stream([]);
      await items.next();
      await lines.next(/^begun/);
      await items.return();
      await lines.next(/^given up$/);
      expect(await pool.apply([1, 2], { target: kind.target('add') })).to.equal(3);
    });

    it('a stream that was never begun takes no worker', async () => {
      const pool = kind.make('count', { processes: 1 });
      const items = pool.stream([5]);
      await items.return();
      expect((await items.next()).done).to.equal(true);
      expect(pool.stats()).to.include({ queued: 0, running: 0 });
    });

    it('says that a generator is to be streamed, and what is no generator is not', async () => {
      const pool = kind.make('count');
      const wrong = await rejects(pool.apply([3]), { code: 'ERR_MP_REMOTE', type: 'TypeError' });
      expect(wrong.message).to.include('stream()');
      await rejects(pool.stream([1], { target: kind.target('add') }).next(), {
        code: 'ERR_MP_REMOTE',
        type: 'TypeError',
      });
    });

    it('an error of the function has its class, message and traceback', async () => {
      const pool = kind.make('fail');
      const error = instance(await rejects(pool.apply(['so bad']), { code: 'ERR_MP_REMOTE' }), RemoteError);
      expect(error).to.include({ type: kind.errorName, message: `${kind.errorName}: so bad` });
      expect(error.traceback).to.match(/pool[-_]functions/);
      expect((error.cause as Error).name).to.equal(kind.errorName);
      if (kind.isPython) expect(error.args).to.deep.equal(['so bad']);
    });

    it('an error that cannot be sent as it is arrives in words', async () => {
      const pool = kind.make('unsendable_error');
      const error = instance(await rejects(pool.apply([]), { code: 'ERR_MP_REMOTE' }), RemoteError);
      expect(error.type).to.equal(kind.isPython ? 'pool_functions.Odd' : 'RangeError');
      expect(error.message).to.include('odd');
    });

    it('a result that cannot be sent is an error of its task', async () => {
      const pool = kind.make('unsendable', { processes: 1 });
      const pid = await pool.apply([], { target: kind.target('pid') });
      await rejects(pool.apply([]), { code: 'ERR_MP_REMOTE' });
      expect(await pool.apply([], { target: kind.target('pid') })).to.equal(pid);
    });

    it('an argument that cannot be sent is an error of its task', async () => {
      const pool = kind.make('echo', { processes: 1 });
      await rejects(pool.apply([() => 1]), { code: 'ERR_MP_PICKLING' });
      expect(await pool.apply([5])).to.equal(5);
    });

    it('a target that does not exist is an error of its task', async () => {
      const pool = kind.make('echo');
      await rejects(pool.apply([1], { target: kind.target('no_such_function') }), { code: 'ERR_MP_REMOTE' });
      expect(await pool.apply([5])).to.equal(5);
    });

    it('passes Connections in arguments', async () => {
      const pool = kind.make('send');
      const [ours, theirs] = Pipe(true, { serialization: kind.isPython ? 'pickle' : 'structured' });
      track(ours);
      await pool.apply([theirs]);
      theirs.close();
      expect(await ours.recv()).to.equal('hello');
    });

    it('carries large arguments and results', async () => {
      const pool = kind.make('echo');
      const bytes = Buffer.alloc(5_000_000, 7);
      const answers = (await Promise.all([pool.apply([bytes]), pool.apply([bytes])])) as Buffer[];
      for (const answer of answers) expect(bytes.equals(answer)).to.equal(true);
    });

    it('runs tasks of a higher priority first, and those of one in the order of the calls', async () => {
      const pool = kind.make('echo', { processes: 1 });
      await pool.ready();
      const order: number[] = [];
      const calls = [
        [0, 0],
        [1, 0],
        [2, 5],
        [3, -1],
        [4, 5],
      ].map(async ([value, priority]) => order.push(await pool.apply([value], { priority })));
      await Promise.all(calls);
      expect(order).to.deep.equal([0, 2, 4, 1, 3]);
    });

    it('gives tasks of one key to one worker', async () => {
      const pool = kind.make('pid', { processes: 3 });
      await pool.ready();
      const calls = Array.from({ length: 30 }, async (_, i) => [i % 3, await pool.apply([], { key: i % 3 })] as const);
      const pids = new Map<number, Set<number>>();
      for (const [key, pid] of await Promise.all(calls)) pids.set(key, (pids.get(key) ?? new Set()).add(pid));
      for (const each of pids.values()) expect(each.size).to.equal(1);
    });

    it('reports what a task logs, with its number', async () => {
      const pool = kind.make('report');
      const records: LogEvent[] = [];
      pool.on('log', (record) => records.push(record));
      await pool.apply([]);
      expect(records).to.have.length(1);
      expect(records[0]).to.include({ level: 'WARNING', message: 'half way', task: 1 });
    });

    it('is not disturbed by what a task writes to its standard streams', async () => {
      const pool = kind.make('noise', { processes: 1 });
      const lines = new Lines(pool);
      expect(await pool.apply([])).to.equal('quiet');
      await pool.close();
      expect((await lines.next(/noise without an end/)).stream).to.equal('stdout');
      expect((await lines.next(/on the error/)).stream).to.equal('stderr');
    });
  });
}

describe('currentTask', () => {
  afterEach(endPools);

  it('has the number and attempt of the task, and reports its progress', async () => {
    const pool = nodeKind.make('report');
    const seen: unknown[] = [];
    const onProgress = (done: number, total: number | undefined): void => void seen.push([done, total]);
    expect(await within(60_000, pool.apply([], { onProgress }), 'the task')).to.equal('1 1');
    expect(seen).to.deep.equal([
      [1, 2],
      [2, 2],
    ]);
  });

  it('is the same after an await, and never another one in what a task has left behind', async () => {
    const pool = nodeKind.make('leaveBehind', { processes: 1 });
    const tasks = [];
    for (let i = 0; i < 3; i++) {
      const [ours, theirs] = Pipe();
      track(ours);
      const id = await within(60_000, pool.apply([theirs]), 'the task');
      theirs.close();
      tasks.push({ ours, id });
    }
    expect(new Set(tasks.map(({ id }) => id)).size).to.equal(3);
    const later = [];
    for (const { ours } of tasks) {
      await ours.send('go on');
      later.push(await ours.recv());
    }
    expect(later).to.deep.equal(tasks.map(({ id }) => id));
  });

  // Regression: what a task had left behind got the task that ran, if it was the first in its process to ask.
  it('is that of the caller, whichever asks first', async () => {
    const pool = nodeKind.make('ask_later', { processes: 1 });
    const [[first, theirFirst], [second, theirSecond]] = [Pipe(), Pipe()];
    [first, theirFirst, second, theirSecond].map((conn) => track(conn));
    await within(60_000, pool.apply([theirFirst]), 'the first task');
    const running = pool.apply([theirSecond], { target: 'ask_after' });
    await within(60_000, second.recv(), 'the second task');
    await first.send('ask');
    expect(await within(60_000, first.recv(), 'what the first task has left behind')).to.equal(1);
    await second.send('go on');
    expect(await within(60_000, running, 'the second task')).to.equal(2);
  });
});
