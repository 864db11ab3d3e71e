// SPDX-License-Identifier: MIT
//
// Values, errors and messages that cannot travel, or not as they are: each is the error of its task, and of nothing else.
import { expect } from 'chai';
import { Pipe, RemoteError, sharedArray, type Connection, type LogEvent } from 'node-multiprocessing';

import { instance, rejects, within } from '../helpers/index.js';
import { endPools, kinds, Lines, pythonOnly, type AnyPool, type Kind } from './support/pools.js';
import { blocksLeft } from './support/shared-array-ends.js';

/** What give_connection() returns. */
interface Given {
  readonly reader: Connection;
  readonly value: unknown;
}

/** A pool of one worker, and its process. */
async function poolOfOne(kind: Kind, name: string): Promise<{ pool: AnyPool; pid: unknown }> {
  const pool = kind.make(name, { processes: 1 });
  return { pool, pid: await pool.apply([], { target: kind.target('pid') }) };
}

async function expectSameWorker(kind: Kind, { pool, pid }: { pool: AnyPool; pid: unknown }): Promise<void> {
  const now = await within(60_000, pool.apply([], { target: kind.target('pid') }), 'the next task');
  expect(now).to.equal(pid);
}

for (const kind of kinds) {
  describe(`What a task of a ${kind.name} cannot send`, () => {
    afterEach(endPools);

    // Regression: an error of the system about a value was taken for the end of the worker, so the task never ended.
    it('an array that is in too many messages is an error of its task', async () => {
      const worker = await poolOfOne(kind, 'echo');
      const array = sharedArray(Uint8Array, 4);
      const [reader, writer] = Pipe(false);
      let full: unknown;
      for (let i = 0; i < 1000 && full === undefined; i++) {
        await writer.send(array).catch((error: unknown) => (full = error));
      }
      expect(full).to.include({ code: 'ENOSPC' });
      const error = await within(60_000, rejects(worker.pool.apply([array]), {}), 'the task');
      expect([error, error.cause].map((each) => (each as NodeJS.ErrnoException | undefined)?.code)).to.include(
        'ENOSPC',
      );
      await expectSameWorker(kind, worker);
      reader.close();
      writer.close();
      sharedArray.release(array);
      expect(await blocksLeft()).to.deep.equal([]);
    });
  });
}

for (const kind of kinds.filter(({ isPython }) => isPython)) {
  describe(`What a function of a ${kind.name} makes`, () => {
    afterEach(endPools);

    // Regression: the pool could not read the error, and its program ended with an uncaught one.
    it('an error whose text is of a class of its own is an error of its task', async () => {
      const worker = await poolOfOne(kind, pythonOnly('fail_with_text'));
      const failed = within(60_000, rejects(worker.pool.apply([]), { code: 'ERR_MP_REMOTE' }), 'the task');
      expect(instance(await failed, RemoteError)).to.include({ type: 'ValueError', message: 'ValueError: so bad' });
      await expectSameWorker(kind, worker);
    });

    // Regression: as above.
    it('an error message that means nothing is an error of its task', async () => {
      const worker = await poolOfOne(kind, pythonOnly('write_raw'));
      // An ERROR without a pickle, and one of None.
      for (const bytes of [Buffer.of(1, 2, 3), Buffer.from('80044e2e', 'hex')]) {
        await within(60_000, rejects(worker.pool.apply([4, bytes]), {}), 'the task');
        expect(await within(60_000, worker.pool.apply([1], { target: kind.target('echo') }), 'the next one')).to.equal(
          1,
        );
      }
      await expectSameWorker(kind, worker);
    });

    // Regression: the worker ended.
    it('a result that neither its pickle nor its repr() survives is an error of its task', async () => {
      const worker = await poolOfOne(kind, pythonOnly('shy'));
      await within(60_000, rejects(worker.pool.apply([]), { code: 'ERR_MP_REMOTE' }), 'the task');
      await expectSameWorker(kind, worker);
    });

    // Regression: either was a failure of the function, if the log had a listener.
    it('a record that cannot be formatted is left out of the log, and one of a class of its own is text', async () => {
      const { pool } = await poolOfOne(kind, pythonOnly('log_oddly'));
      const records: LogEvent[] = [];
      pool.on('log', (record) => records.push(record));
      expect(await within(60_000, pool.apply([]), 'the task')).to.equal('logged');
      expect(records.map(({ message }) => message)).to.deep.equal(['half way']);
    });

    // Regression: the pool could not read a Connection in a result.
    it('Connections in results and in items of streams are open here', async () => {
      const worker = await poolOfOne(kind, 'give_connection');
      const made = [await within(60_000, worker.pool.apply(['hello']), 'the task')] as Given[];
      const items = worker.pool.stream([3], { target: kind.target('give_connections') });
      for await (const item of items) made.push(item as Given);
      expect(made.map(({ value }) => value)).to.deep.equal(['hello', 0, 1, 2]);
      for (const { reader, value } of made) {
        expect(await reader.recv()).to.equal(value);
        await rejects(reader.recv(), { code: 'ERR_MP_EOF' });
        reader.close();
      }
      await expectSameWorker(kind, worker);
    });

    it('a Connection that the worker does not hand out is an error of its task', async () => {
      const worker = await poolOfOne(kind, 'give_uncollected');
      await within(60_000, rejects(worker.pool.apply([]), { code: 'ERR_MP_UNPICKLING' }), 'the task');
      await expectSameWorker(kind, worker);
    });

    for (const name of ['Queue', 'Lock']) {
      it(`a ${name} in a result is an error of its task, since it goes to children only`, async () => {
        const worker = await poolOfOne(kind, 'give_inherited');
        const failed = within(60_000, rejects(worker.pool.apply([name]), { code: 'ERR_MP_REMOTE' }), 'the task');
        expect((await failed).message).to.include('inheritance');
        await expectSameWorker(kind, worker);
      });
    }

    // Regression: the function got a TypeError, of which it could know nothing.
    it('a cancelled task that was sending something gets a KeyboardInterrupt', async () => {
      const { pool } = await poolOfOne(kind, pythonOnly('interrupted_in_progress'));
      const lines = new Lines(pool);
      const cancel = new AbortController();
      const onProgress = (): void => {
        if (cancel.signal.aborted) return;
        cancel.abort();
        // Nothing is read here for a while, so the worker waits in the middle of its message when the signal comes.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
      };
      await rejects(pool.apply([], { onProgress, signal: cancel.signal }), { code: 'ABORT_ERR' });
      expect((await lines.next(/^raised/)).line).to.equal('raised KeyboardInterrupt');
    });
  });
}
