// SPDX-License-Identifier: MIT
//
// CPython's own tests of pools (test/_test_multiprocessing.py), under their names, against both kinds of pools. What they pass as
// callbacks are handlers of promises here. What has no counterpart is missing: test_enter of a pool that is entered twice.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { expect } from 'chai';
import { activeChildren, pickle, RemoteError } from 'node-multiprocessing';

import { instance, rejects, turns, within } from '../helpers/index.js';
import { endPools, kinds, workerEvent, type AnyPool } from '../lifecycle/support/pools.js';

class SayWhenError extends Error {
  override readonly name = 'SayWhenError';
}

/** Raises an error after a number of items; -1: before the first. */
function* exceptionThrowingGenerator(total: number, when: number): Generator<number> {
  if (when === -1) throw new SayWhenError('Somebody said when');
  for (let i = 0; i < total; i++) {
    if (i === when) throw new SayWhenError('Somebody said when');
    yield i;
  }
}

/** Collects until a condition holds, since the callbacks of collected objects come in later turns. */
async function collectUntil(done: () => boolean): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const collecting = async (): Promise<void> => {
    while (!done()) {
      await turns(1);
      collect();
    }
  };
  await within(60_000, collecting(), 'the garbage collection');
}

const range = (n: number): number[] => [...Array(n).keys()];

async function list<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

for (const kind of kinds) {
  describe(`CPython's tests with ${kind.name}`, () => {
    let pool: AnyPool;
    beforeEach(() => {
      pool = kind.make('sqr', { processes: 4, minProcesses: 1 });
    });
    afterEach(endPools);

    const other = (name: string): { target: string } => ({ target: kind.target(name) });
    const squares = (n: number): number[] => range(n).map((i) => i * i);

    describe('_TestPool', () => {
      it('test_apply', async () => {
        expect(await pool.apply([5])).to.equal(25);
      });

      it('test_map', async () => {
        expect(await pool.map(range(10))).to.deep.equal(squares(10));
        expect(await pool.map(range(100), { chunksize: 20 })).to.deep.equal(squares(100));
      });

      it('test_starmap', async () => {
        const tuples = range(10).map((i) => [i, 9 - i]);
        const products = tuples.map(([a, b]) => a! * b!);
        expect(await pool.starmap(tuples, other('mul'))).to.deep.equal(products);
        const many = range(100).map((i) => [i, 99 - i]);
        const expected = many.map(([a, b]) => a! * b!);
        expect(await pool.starmap(many, { ...other('mul'), chunksize: 20 })).to.deep.equal(expected);
      });

      it('test_map_async, test_map_async_callbacks', async () => {
        const called: unknown[] = [];
        await pool.map([1]).then((result) => called.push(result));
        await pool.map(['a'], other('raising')).catch((error: unknown) => called.push(error));
        expect(called[0]).to.deep.equal([1]);
        expect(called[1]).to.be.instanceOf(RemoteError);
      });

      it('test_map_unplicklable', async () => {
        await rejects(pool.map([() => 1, () => 2]), { code: 'ERR_MP_PICKLING' });
      });

      it('test_map_chunksize', async () => {
        await within(60_000, pool.map([], { chunksize: 1 }), 'map with chunksize stalls on an empty list');
      });

      it('test_map_handle_iterable_exception', async () => {
        await rejects(pool.map(exceptionThrowingGenerator(1, -1), { chunksize: 1 }), { name: 'SayWhenError' });
        await rejects(pool.map(exceptionThrowingGenerator(10, 3), { chunksize: 1 }), { name: 'SayWhenError' });
      });

      it('test_async', async () => {
        expect(await within(60_000, pool.apply([7]), 'the result')).to.equal(49);
      });

      it('test_async_timeout', async () => {
        const call = pool.apply([0], { ...other('wait_until_cancelled_with'), timeout: 20 });
        await rejects(call, { code: 'ERR_MP_TASK_TIMEOUT' });
        await pool.terminate();
      });

      it('test_imap', async () => {
        expect(await list(pool.imap(range(10)))).to.deep.equal(squares(10));
        const it = pool.imap(range(10));
        for (let i = 0; i < 10; i++) expect((await it.next()).value).to.equal(i * i);
        expect((await it.next()).done).to.equal(true);
        const chunked = pool.imap(range(1000), { chunksize: 100 });
        expect(await list(chunked)).to.deep.equal(squares(1000));
      });

      it('test_imap_handle_iterable_exception', async () => {
        await rejects(pool.imap(exceptionThrowingGenerator(1, -1)).next(), { name: 'SayWhenError' });
        for (const chunksize of [1, 2, 4]) {
          const it = pool.imap(exceptionThrowingGenerator(20, 7), { chunksize });
          const before = Math.floor(7 / chunksize) * chunksize;
          for (let i = 0; i < before; i++) expect((await it.next()).value).to.equal(i * i);
          await rejects(it.next(), { name: 'SayWhenError' });
        }
      });

      it('test_imap_unordered', async () => {
        const sorted = async (it: AsyncIterable<number>): Promise<number[]> => (await list(it)).sort((a, b) => a - b);
        expect(await sorted(pool.imapUnordered(range(10)))).to.deep.equal(squares(10));
        expect(await sorted(pool.imapUnordered(range(1000), { chunksize: 100 }))).to.deep.equal(squares(1000));
      });

      it('test_imap_unordered_handle_iterable_exception', async () => {
        await rejects(pool.imapUnordered(exceptionThrowingGenerator(1, -1)).next(), { name: 'SayWhenError' });
        for (const chunksize of [1, 2]) {
          const it = pool.imapUnordered(exceptionThrowingGenerator(10, 3), { chunksize });
          const before = Math.floor(3 / chunksize) * chunksize;
          const values: number[] = [];
          for (let i = 0; i < before; i++) values.push((await it.next()).value as number);
          expect(values.sort((a, b) => a - b)).to.deep.equal(squares(before));
          await rejects(it.next(), { name: 'SayWhenError' });
        }
      });

      it('test_make_pool', async () => {
        for (const processes of [0, -1]) expect(() => kind.make('sqr', { processes })).to.throw(RangeError);
        const made = kind.make('sqr', { processes: 3 });
        expect(made.stats().workers).to.have.length(3);
        await made.close();
        await made.join();
      });

      it('test_terminate', async () => {
        const calls = pool.map(
          range(1000).map(() => 0),
          { ...other('wait_until_cancelled_with'), chunksize: 1 },
        );
        const failed = rejects(calls, { code: 'ERR_MP_POOL_CLOSED' });
        await pool.terminate();
        await within(60_000, pool.join(), 'join after terminate');
        await failed;
      });

      it('test_empty_iterable', async () => {
        expect(await pool.map([])).to.deep.equal([]);
        expect(await list(pool.imap([]))).to.deep.equal([]);
        expect(await list(pool.imapUnordered([]))).to.deep.equal([]);
        expect(await pool.starmap([])).to.deep.equal([]);
      });

      it('test_context', async () => {
        {
          await using p = kind.make('sqr');
          expect(await p.map(range(10))).to.deep.equal(squares(10));
          pool = p;
        }
        await rejects(pool.map(range(10)), { code: 'ERR_MP_POOL_CLOSED' });
      });

      it('test_traceback', async () => {
        const error = instance(await rejects(pool.apply(['boom'], other('fail')), {}), RemoteError);
        expect(error.traceback).to.match(kind.isPython ? /raise ValueError\(text\)/ : /at fail /);
        if (!kind.isPython) return;
        const cause = instance(error.cause, pickle.PythonError);
        expect(cause.traceback).to.include('raise ValueError(text)');
      });

      it('test_wrapped_exception', async () => {
        const error = await rejects(pool.apply(['foo'], other('fail')), { code: 'ERR_MP_REMOTE' });
        expect((error.cause as Error).name).to.equal(kind.errorName);
      });

      it('test_map_no_failfast', async () => {
        // CPython waits for all items before it reports the failure of one. Here the failure comes at once, and what waits is
        // dropped; the pool serves the next call.
        await rejects(pool.map(['a', 'b', 'c'], { ...other('raising'), chunksize: 1 }), { code: 'ERR_MP_REMOTE' });
        expect(await pool.apply([3])).to.equal(9);
      });

      it('test_release_task_refs', async () => {
        const made = kind.make('remember', { processes: 1 });
        const refs: WeakRef<object>[] = [];
        const run = async (): Promise<void> => {
          const objects = range(10).map((i) => new Set([i]));
          refs.push(...objects.map((object) => new WeakRef(object)));
          expect(await made.map(objects, { chunksize: 1 })).to.deep.equal(objects);
        };
        await run();
        await collectUntil(() => refs.every((ref) => ref.deref() === undefined));
        expect(await made.apply([], other('count_remembered'))).to.equal(0);
      });

      it('test_resource_warning', async () => {
        const warnings: Error[] = [];
        const listen = (warning: Error): void => void warnings.push(warning);
        process.on('warning', listen);
        const unclosed = (name: string): AnyPool => kind.untracked('sqr', { processes: 1, name });
        const pids: number[] = [];
        const run = async (): Promise<void> => {
          for (const end of ['close', 'terminate'] as const) {
            const made = unclosed('Closed');
            await made.ready();
            await made[end]();
          }
          const made = unclosed('Unclosed');
          expect(await made.apply([3])).to.equal(9);
          pids.push(...made.stats().workers.map(({ pid }) => pid));
        };
        try {
          await run();
          await collectUntil(() => warnings.length > 0 && !activeChildren().some(({ pid }) => pids.includes(pid!)));
          expect(warnings.map(({ name }) => name)).to.deep.equal(['ResourceWarning']);
          expect(warnings[0]!.message).to.match(/^Unclosed: /);
        } finally {
          process.off('warning', listen);
        }
      });

      it('is not collected while it has a task, or an iterator of it lives', async () => {
        const run = async (): Promise<void> => {
          const call = kind.untracked('take', { processes: 1, name: 'Busy' }).apply([300, 'taken']);
          const items = kind.untracked('count', { processes: 1, name: 'Lazy' }).stream([3], { buffersize: 1 });
          let settled = false;
          void call.finally(() => (settled = true));
          await collectUntil(() => settled);
          expect(await call).to.equal('taken');
          expect(await list(items)).to.deep.equal([0, 1, 2]);
        };
        await run();
        await collectUntil(() => !activeChildren().some(({ name }) => /^(Busy|Lazy)-/.test(name)));
      });

      it('test_enter', async () => {
        const made = kind.make('sqr', { processes: 1 });
        await made.terminate();
        await rejects(made.apply([1]), { code: 'ERR_MP_POOL_CLOSED' });
        await made.join();
      });
    });

    describe('_TestPoolWorkerErrors', () => {
      it('test_async_error_callback', async () => {
        const error = await new Promise((resolve) => void pool.apply(['x'], other('raising')).catch(resolve));
        expect(error).to.have.property('type', kind.isPython ? 'KeyError' : 'Error');
      });

      it('test_unpickleable_result', async () => {
        const small = kind.make('unsendable', { processes: 2 });
        // The worker lives on after each.
        for (let i = 0; i < 20; i++) await rejects(small.apply([]), { code: 'ERR_MP_REMOTE' });
        const workers = small.stats().workers;
        expect(workers.reduce((sum, { tasks }) => sum + tasks, 0)).to.equal(20);
      });
    });

    describe('_TestPoolWorkerLifetime', () => {
      it('test_pool_worker_lifetime', async () => {
        const made = kind.make('sqr', { processes: 3, maxTasksPerChild: 10 });
        await made.ready();
        const first = made.stats().workers.map(({ pid }) => pid);
        const results = await Promise.all(range(100).map((i) => made.apply([i])));
        expect(results).to.deep.equal(squares(100));
        await made.ready();
        const last = made.stats().workers.map(({ pid }) => pid);
        expect(last.filter((pid) => first.includes(pid))).to.deep.equal([]);
      });

      it('test_pool_worker_lifetime_early_close', async () => {
        const made = kind.make('sqr', { processes: 3, maxTasksPerChild: 1 });
        const calls = range(6).map((i) => made.apply([i]));
        const closed = made.close();
        expect(await Promise.all(calls)).to.deep.equal(squares(6));
        await within(60_000, closed, 'close');
        await made.join();
      });

      it('test_pool_maxtasksperchild_invalid', () => {
        for (const value of [0, -1, 0.5, '12']) {
          expect(() => kind.make('sqr', { maxTasksPerChild: value as number })).to.throw(/maxTasksPerChild/);
        }
      });

      it('test_worker_finalization_via_atexit_handler_of_multiprocessing', async () => {
        const made = kind.make('sqr', { processes: 2 });
        await made.ready();
        const ended = workerEvent(made, 'ended');
        await made.close();
        await ended;
        expect(made.stats().workers).to.deep.equal([]);
      });
    });
  });
}
