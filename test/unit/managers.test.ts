// SPDX-License-Identifier: MIT
//
// The objects for managers as this process itself uses them, and the arguments of all.
import { expect } from 'chai';
import { Queue } from 'node-multiprocessing';
import {
  ManagedDict,
  ManagedEvent,
  ManagedLock,
  ManagedQueue,
  ManagerClient,
  ManagerServer,
} from 'node-multiprocessing/managers';

import { refuses, rejects, throws } from '../helpers/index.js';

const TYPE = 'ERR_INVALID_ARG_TYPE';
const RANGE = 'ERR_OUT_OF_RANGE';
const authkey = Buffer.from('key');

describe('ManagedQueue', () => {
  it('has the order, the limits and the errors of a queue', async () => {
    const queue = new ManagedQueue<number>(2);
    await queue.put(1);
    queue.putNowait(2);
    expect([queue.qsize(), queue.full(), queue.empty()]).to.deep.equal([2, true, false]);
    throws(
      () => {
        queue.putNowait(3);
      },
      { code: 'ERR_MP_FULL' },
    );
    await rejects(queue.put(3, { timeout: 1 }), { code: 'ERR_MP_FULL' });
    const third = queue.put(3);
    const fourth = queue.put(4);
    expect([await queue.get(), await queue.get(), await queue.get(), await queue.get()]).to.deep.equal([1, 2, 3, 4]);
    await Promise.all([third, fourth]);
    throws(() => queue.getNowait(), { code: 'ERR_MP_EMPTY' });
    await rejects(queue.get({ timeout: 1 }), { code: 'ERR_MP_EMPTY' });
    await rejects(queue.get({ signal: AbortSignal.timeout(1) }), { code: 'ABORT_ERR' });
    const gets = [queue.get(), queue.get()];
    await queue.put(5);
    await queue.put(6);
    expect(await Promise.all(gets)).to.deep.equal([5, 6]);
  });

  it('counts items for join, and ends iterations at shutdown', async () => {
    const queue = new ManagedQueue<string>();
    await queue.put('a');
    await queue.put('b');
    await rejects(queue.join({ timeout: 1 }), { code: 'ERR_MP_TIMEOUT' });
    queue.shutdown();
    await rejects(queue.put('c'), { code: 'ERR_MP_SHUT_DOWN' });
    const seen: string[] = [];
    for await (const item of queue) {
      seen.push(item);
      queue.taskDone();
    }
    expect(seen).to.deep.equal(['a', 'b']);
    await queue.join();
    throws(
      () => {
        queue.taskDone();
      },
      { code: 'ERR_MP_TASK_DONE' },
    );
    const dropped = new ManagedQueue<string>(1);
    await dropped.put('a');
    const waits = rejects(dropped.put('b'), { code: 'ERR_MP_SHUT_DOWN' });
    dropped.shutdown({ immediate: true });
    await waits;
    await dropped.join();
  });

  it('holds copies, and refuses what Python could not get', async () => {
    const queue = new ManagedQueue<object>();
    const item = { list: [1] };
    await queue.put(item);
    item.list.push(2);
    expect(await queue.get()).to.deep.equal({ list: [1] });
    await rejects(queue.put({ call: () => 1 }), { code: 'ERR_MP_PICKLING' });
    expect(queue.empty()).to.equal(true);
  });
});

describe('ManagedDict, ManagedEvent and ManagedLock', () => {
  it('find keys that are equal in Python', () => {
    const dict = new ManagedDict<unknown, unknown>([['a', 1]]);
    dict.set([1, 'x'], 'tuple').set(1, 'one').set('\0', 'zero byte');
    expect([dict.get('a'), dict.get([1, 'x']), dict.get(true), dict.get('\0')]).to.deep.equal([
      1,
      'tuple',
      'one',
      'zero byte',
    ]);
    expect([...dict].map(([key]) => key)).to.deep.equal(['a', [1, 'x'], 1, '\0']);
    expect([dict.has('b'), dict.delete('a'), dict.delete('a'), dict.size]).to.deep.equal([false, true, false, 3]);
    dict.clear();
    expect(dict.size).to.equal(0);
  });

  it('wake their waiters', async () => {
    const event = new ManagedEvent();
    expect(await event.wait(1)).to.equal(false);
    const waits = [event.wait(), event.wait()];
    event.set();
    expect([await Promise.all(waits), event.isSet()]).to.deep.equal([[true, true], true]);
    event.clear();
    expect(event.isSet()).to.equal(false);
    const lock = new ManagedLock();
    expect(await lock.acquire()).to.equal(true);
    expect(await lock.acquire({ timeout: 1 })).to.equal(false);
    const next = lock.acquire();
    lock.release();
    expect([await next, lock.locked()]).to.deep.equal([true, true]);
    lock.release();
    throws(
      () => {
        lock.release();
      },
      { code: 'ERR_MP_RELEASED_TOO_OFTEN' },
    );
    const recursive = new ManagedLock({ recursive: true });
    expect([await recursive.acquire(), await recursive.acquire()]).to.deep.equal([true, true]);
  });
});

describe('The arguments of managers', () => {
  it('are checked', async () => {
    const anyway = (value: unknown): never => value as never;
    await refuses(() => new ManagerServer(anyway({})), 'authkey', TYPE);
    await refuses(() => new ManagerServer({ authkey: anyway('key') }), 'authkey', TYPE);
    await refuses(() => new ManagerServer({ authkey, maxConnections: 0 }), 'maxConnections', RANGE);
    await refuses(() => new ManagerServer({ authkey, maxObjects: 0 }), 'maxObjects', RANGE);
    await refuses(() => new ManagerServer({ authkey, address: ['10.0.0.1', 0] }), 'remote', RANGE);
    await refuses(() => new ManagerServer(anyway({ authkey, adress: '' })), 'adress', TYPE);
    await refuses(() => new ManagedQueue({ lease: anyway('ever') }), 'lease', RANGE);
    await refuses(() => new ManagedQueue(anyway({ maxSize: 1 })), 'maxSize', TYPE);
    await refuses(() => new ManagedQueue(1.5), 'maxsize', RANGE);
    await refuses(() => new ManagedLock({ recursive: anyway(1) }), 'recursive', TYPE);
    await refuses(() => ManagerClient.connect(anyway({ authkey })), 'address', TYPE);
    await refuses(() => ManagerClient.connect(anyway({ address: '/x' })), 'authkey', TYPE);
    await refuses(() => ManagerClient.connect({ address: '/x', authkey, maxConnections: 0 }), 'maxConnections', RANGE);
    const server = new ManagerServer({ authkey });
    const local = new Queue();
    try {
      await refuses(() => server.register('', {}), 'typeid', TYPE);
      await refuses(() => server.register('a', anyway(7)), 'object', TYPE);
      // Its methods were served as they are for Node: a get that took no limits, and lost an item with its client.
      await refuses(() => server.register('a', local), 'object is a Queue', TYPE);
      await refuses(() => server.register('a', {}, { exposed: ['x'] }), 'exposed', RANGE);
      await refuses(() => server.register('a', {}, anyway({ expose: [] })), 'expose', TYPE);
      await refuses(() => server.serve(anyway({})), 'stream', TYPE);
      const client = await ManagerClient.connect({ address: server.address, authkey });
      await refuses(() => client.create('a', anyway('bc')), 'args', TYPE);
      await client.close();
    } finally {
      server.close();
      local.close();
    }
    await rejects(server.serve(anyway({})), { code: 'ERR_MP_CLOSED' });
  });
});
