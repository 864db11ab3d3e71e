// SPDX-License-Identifier: MIT
//
// What reaches a task beside its arguments, in which asynchronous context the caller's functions run, and the channels for tools
// that watch pools.
import { AsyncLocalStorage } from 'node:async_hooks';
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';

import { expect } from 'chai';
import type { PoolWorkerMessage, TaskDoneMessage, TaskSubmitMessage } from 'node-multiprocessing';

import { instance, rejects, within } from '../helpers/index.js';
import { endPools, kinds, nodeKind, workerEvent } from './support/pools.js';

type Message = TaskSubmitMessage & TaskDoneMessage & PoolWorkerMessage;

const PREFIX = 'node-multiprocessing:';
const CHANNELS = ['task:submit', 'task:done', 'pool:new_worker', 'pool:evict_worker', 'pool:drain'];

/** Collects the messages on the channels of pools. */
function watchChannels(): { seen: [string, Message][]; stop: () => void } {
  const seen: [string, Message][] = [];
  const listen = (message: unknown, name: string | symbol): void => {
    seen.push([String(name).slice(PREFIX.length), message as Message]);
  };
  for (const name of CHANNELS) subscribe(PREFIX + name, listen);
  return { seen, stop: () => CHANNELS.forEach((name) => unsubscribe(PREFIX + name, listen)) };
}

for (const kind of kinds) {
  describe(`The context of a ${kind.name}`, () => {
    afterEach(endPools);
    const storage = new AsyncLocalStorage<unknown>();
    const other = (name: string): { target: string } => ({ target: kind.target(name) });

    it('has the store of the call in every kind of call, and nothing after it', async () => {
      const pool = kind.make('get_request', { processes: 1, context: { [kind.target('request')]: storage } });
      const ids = [{ id: 'a' }, { id: 'b' }, undefined, { id: 'c' }];
      const calls = ids.map((id) => (id === undefined ? pool.apply([]) : storage.run(id, () => pool.apply([]))));
      expect(await Promise.all(calls)).to.deep.equal(ids.map((id) => id ?? null));
      expect(await storage.run('map', () => pool.starmap([[], []]))).to.deep.equal(['map', 'map']);
      const items = storage.run('stream', () => pool.stream([2], other('get_requests')));
      expect(await storage.run('later', () => items.next())).to.deep.equal({ done: false, value: 'stream' });
      await items.return();
      expect(await pool.apply([])).to.equal(null);
    });

    it('has what a function returns', async () => {
      let calls = 0;
      const name = kind.isPython ? kind.target('request') : 'traceparent';
      const target = kind.isPython ? 'get_request' : 'get_context';
      const pool = kind.make(target, { processes: 1, context: { [name]: () => `00-${++calls}` } });
      const results = await Promise.all([pool.apply([]), pool.apply([])]);
      const expected = ['00-1', '00-2'];
      expect(results).to.deep.equal(kind.isPython ? expected : expected.map((traceparent) => ({ traceparent })));
    });

    it('needs something in the module that takes the store', async () => {
      const pool = kind.make('echo', { processes: 1, context: { [kind.target('echo')]: storage } });
      await rejects(pool.ready(), { code: 'ERR_MP_CHILD_PROCESS', stage: 'export' });
    });

    it('fails a task whose store cannot be sent, and no other one', async () => {
      const pool = kind.make('get_request', { processes: 1, context: { [kind.target('request')]: storage } });
      const call = storage.run(
        () => 1,
        () => pool.apply([]),
      );
      await rejects(call, { code: 'ERR_MP_PICKLING' });
      expect(await pool.apply([])).to.equal(null);
    });

    it('is told on the channels which tasks and workers there are', async () => {
      const { seen, stop } = watchChannels();
      try {
        const pool = kind.make('add', { processes: 1, name: 'Watched' });
        await pool.ready();
        const [pid] = pool.stats().workers.map((worker) => worker.pid);
        await Promise.all([pool.apply([1, 2]), rejects(pool.apply(['x'], other('fail')), { code: 'ERR_MP_REMOTE' })]);
        const ended = workerEvent(pool, 'ended');
        await pool.close();
        await ended;
        const names = seen.map(([name]) => name);
        expect(names).to.deep.equal([
          'pool:new_worker',
          'task:submit',
          'pool:drain',
          'task:submit',
          'task:done',
          'pool:drain',
          'task:done',
          'pool:evict_worker',
        ]);
        const messages = seen.map(([, message]) => message);
        for (const { poolName } of messages) expect(poolName).to.equal('Watched');
        expect(messages[0]).to.include({ pid, index: 0, queueSize: 0, idleWorkers: 0 });
        expect(messages[1]).to.include({ taskId: 1, queueSize: 1, idleWorkers: 1 });
        expect(messages[3]).to.include({ taskId: 2, queueSize: 1, idleWorkers: 0 });
        expect(messages[4]).to.include({ taskId: 1, attempt: 1, queueSize: 1 });
        expect(messages[4]).not.to.have.property('error');
        expect(messages[4]!.duration).to.be.above(0);
        expect(messages[6]).to.include({ taskId: 2, queueSize: 0 });
        expect(messages[6]!.wait).to.be.above(0);
        expect(messages[6]!.error).to.have.property('code', 'ERR_MP_REMOTE');
        expect(messages[7]).to.include({ pid, index: 0, exitcode: 0 });
      } finally {
        stop();
      }
    });
  });
}

describe('The channels of pools', () => {
  afterEach(endPools);

  it('tell of a task that never ran, and of one that died', async () => {
    const { seen, stop } = watchChannels();
    try {
      const pool = nodeKind.make('kill_self', { processes: 1 });
      const died = rejects(pool.apply([]), { code: 'ERR_MP_WORKER_DIED' });
      const abort = new AbortController();
      const aborted = rejects(pool.apply([], { signal: abort.signal }), { code: 'ABORT_ERR' });
      abort.abort();
      await Promise.all([died, aborted]);
      const done = seen.filter(([name]) => name === 'task:done').map(([, message]) => message);
      expect(done.map(({ taskId }) => taskId)).to.deep.equal([2, 1]);
      expect(done[0]).to.include({ duration: 0 });
      expect(done[1]!.duration).to.be.above(0);
    } finally {
      stop();
    }
  });

  it('are not disturbed by a subscriber that throws', async () => {
    const errors: unknown[] = [];
    const fail = (): never => {
      throw new Error('subscriber');
    };
    const caught = new Promise<void>((resolve) => {
      process.setUncaughtExceptionCaptureCallback((error) => {
        errors.push(error);
        resolve();
      });
    });
    channel(`${PREFIX}task:submit`).subscribe(fail);
    try {
      const pool = nodeKind.make('add', { processes: 1 });
      expect(await pool.apply([1, 2])).to.equal(3);
      await within(60_000, caught, 'the uncaught exception');
      expect(instance(errors[0], Error).message).to.equal('subscriber');
    } finally {
      process.setUncaughtExceptionCaptureCallback(null);
      channel(`${PREFIX}task:submit`).unsubscribe(fail);
    }
  });
});
