// SPDX-License-Identifier: MIT
//
// Shared memory within one process: arguments, views and their ends, threads, collection.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import { closingAfterEach, RANGE, TYPE } from '../helpers/arguments.js';
import { packageRoot, rejects, throws, turns } from '../helpers/index.js';

/** How many mappings of shared memory this process has. */
function mappings(): number {
  return readFileSync('/proc/self/maps', 'utf8').match(/psm_|mp-shared/g)?.length ?? 0;
}

describe('SharedMemory', () => {
  const closing = closingAfterEach();
  const make = (size = 100): mp.SharedMemory => {
    const shm = closing(new mp.SharedMemory({ create: true, size }));
    shm.unlink();
    return shm;
  };

  it('_TestSharedMemory.test_invalid_shared_memory_creation: refuses wrong arguments', () => {
    for (const size of [undefined, 0, -1, 1.5, NaN]) {
      throws(() => new mp.SharedMemory({ create: true, size }), { code: RANGE });
    }
    throws(() => new mp.SharedMemory({}), { code: TYPE });
    throws(() => new mp.SharedMemory({ name: 'a/b' }), { code: RANGE });
    throws(() => new mp.SharedMemory({ name: '..' }), { code: RANGE });
    // _TestSharedMemory.test_shared_memory_name_with_embedded_null
    throws(() => new mp.SharedMemory({ name: 'psm_a\0b', create: true, size: 10 }), { code: RANGE });
    throws(() => new mp.SharedMemory({ name: 'psm_there-is-none' }), { code: 'ENOENT' });
    throws(() => new mp.SharedMemory({ create: true, size: 2 ** 50 }), { code: 'ENOSPC' });
    throws(() => new mp.RawArray('d', 2 ** 47), { code: 'ENOSPC' });
  });

  it('refuses to make what exists, under a name with or without its slash', () => {
    const name = `psm_test_${process.pid}`;
    const shm = closing(new mp.SharedMemory({ name: `/${name}`, create: true, size: 10 }));
    expect(shm.name).to.equal(name);
    throws(() => new mp.SharedMemory({ name, create: true, size: 10 }), { code: 'EEXIST' });
    shm.unlink();
    throws(
      () => {
        shm.unlink();
      },
      { code: 'ENOENT' },
    );
  });

  it('begins with zeros, and has one memory for all views of it', () => {
    const shm = make();
    expect(shm.read().equals(Buffer.alloc(100))).to.equal(true);
    new Float64Array(shm.view(), 0, 2)[1] = 0.5;
    expect(shm.buf.readDoubleLE(8)).to.equal(0.5);
    shm.write(Buffer.from('end'), 97);
    expect(shm.read(97).toString()).to.equal('end');
    expect(shm.view()).to.equal(shm.view());
    throws(
      () => {
        shm.write(Buffer.from('end'), 98);
      },
      { code: RANGE },
    );
    throws(
      () => {
        shm.write(Buffer.alloc(101));
      },
      { code: RANGE },
    );
    throws(() => shm.read(101), { code: RANGE });
  });

  // Regression: from Node 24 on this aborted the process, and so did its end if a view was left.
  it('detaches its views when it is closed, and unmaps the memory', async () => {
    const before = mappings();
    const shm = make();
    const { buf } = shm;
    const view = shm.view();
    shm.close();
    shm.close();
    expect([view.byteLength, buf.length, shm.closed]).to.deep.equal([0, 0, true]);
    for (const use of [() => shm.buf, () => shm.view(), () => shm.read(), () => mp.describe(shm)]) {
      throws(use, { code: 'ERR_MP_CLOSED' });
    }
    while (mappings() > before) await turns();
  });

  it('has a SharedArrayBuffer, or says that this Node makes none', () => {
    const shm = make();
    let view: SharedArrayBuffer;
    try {
      view = shm.view({ shared: true });
    } catch (error) {
      expect(error).to.have.property('code', 'ERR_MP_NOT_SUPPORTED');
      return;
    }
    Atomics.store(new Int32Array(view, 0, 1), 0, 5);
    expect(shm.buf.readInt32LE()).to.equal(5);
    shm.close();
    expect(view.byteLength).to.equal(100);
  });

  it('is not cloned by a message, and not moved to another thread', () => {
    const shm = make();
    throws(() => structuredClone(shm), { code: 'ERR_MP_NOT_SUPPORTED' });
    // Later releases cannot forbid it.
    const [major = 0] = process.versions.node.split('.').map(Number);
    if (major >= 24) return;
    const { port1, port2 } = new MessageChannel();
    try {
      port1.postMessage(shm.view(), [shm.view()]);
    } catch (error) {
      // Node 22 refuses what Node 20 copies.
      expect(error).to.have.property('name', 'DataCloneError');
    }
    port2.close();
    expect(shm.view().byteLength).to.equal(100);
  });

  it('is opened by a worker that is then terminated, and stays', async () => {
    const shm = make();
    const value = closing(new mp.Value('i', 1));
    const program = `
      const { parentPort, workerData } = require('node:worker_threads');
      const mp = require(${JSON.stringify(join(packageRoot, 'dist', 'index.cjs'))});
      const value = mp.attach(workerData);
      const shm = new mp.SharedMemory({ create: true, size: 10 });
      globalThis.view = shm.view();
      shm.unlink();
      value.value = 2;
      parentPort.postMessage('ready');
      setInterval(() => { value.value = 2; }, 1);`;
    const worker = new Worker(program, { eval: true, workerData: mp.describe(value) });
    expect(await once(worker, 'message')).to.deep.equal(['ready']);
    expect(value.value).to.equal(2);
    await worker.terminate();
    value.value = 3;
    shm.buf[0] = 1;
    expect(value.value).to.equal(3);
  });

  it('gives back the memory of 20,000 values that are collected', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const before = mappings();
    for (let i = 0; i < 20_000; i++) {
      const value = new mp.RawValue('q', i);
      expect(value.value).to.equal(i);
    }
    do {
      collect();
      await turns();
    } while (mappings() > before);
  });
});

describe('Value and Array', () => {
  const closing = closingAfterEach();

  it('refuse what is no element of their type', () => {
    throws(() => new mp.RawValue('x' as 'i'), { code: RANGE });
    throws(() => new mp.RawValue('i', 'a' as never), { code: TYPE });
    throws(() => new mp.RawValue('i', 1.5), { code: RANGE });
    throws(() => new mp.RawValue('c', 5 as never), { code: TYPE });
    throws(() => new mp.RawValue('u', 'ab'), { code: TYPE });
    throws(() => new mp.RawArray('i', -1), { code: RANGE });
    throws(() => new mp.RawArray('i', {} as never), { code: TYPE });
    throws(() => new mp.Value('i', 0, { lock: {} as never }), { code: TYPE });
    const array = closing(new mp.RawArray('i', [1, 2, 3]));
    throws(() => array.get(3), { code: RANGE });
    throws(
      () => {
        array.set(-1, 0);
      },
      { code: RANGE },
    );
    throws(
      () => {
        array.assign([1, 2], 2);
      },
      { code: RANGE },
    );
  });

  it('keep 64 bits, and cut off what is too much, as ctypes does', () => {
    const value = closing(new mp.RawValue('q', 2n ** 62n));
    expect(value.value).to.equal(2n ** 62n);
    value.value = -5;
    expect(value.value).to.equal(-5);
    expect(closing(new mp.RawValue('Q', -1)).value).to.equal(2n ** 64n - 1n);
    expect(closing(new mp.RawValue('B', 257)).value).to.equal(1);
    expect(closing(new mp.RawValue('i', 2 ** 32 + 7)).value).to.equal(7);
  });

  it('_TestValue.test_getobj_getlock: have the lock that they were given, and an object without it', () => {
    const lock = closing(new mp.Lock());
    const value = closing(new mp.Value('i', 5, { lock }));
    const other = closing(new mp.Value('i', 5));
    expect(value.getLock()).to.equal(lock);
    expect(other.getLock()).to.be.instanceOf(mp.RLock);
    const raw = closing(value.getObj());
    raw.value = 6;
    expect(value.value).to.equal(6);
    value.close();
    expect([raw.value, lock.closed]).to.deep.equal([6, false]);
    throws(() => value.value, { code: 'ERR_MP_CLOSED' });
    other.close();
    expect(other.getLock().closed).to.equal(true);
  });

  it('_TestArray.test_array_from_size: begin with zeros, also where other values were before', () => {
    for (const size of [10, 100, 20_000, 10]) {
      const array = new mp.RawArray('d', size);
      expect(array.slice()).to.deep.equal(new Array(size).fill(0));
      array.assign(new Array<number>(size).fill(1.5));
      expect(array.view().every((element) => element === 1.5)).to.equal(true);
      array.close();
    }
  });

  it('do not use memory again that another object still has', () => {
    const value = new mp.RawValue('i', 5);
    const copy = closing(mp.attach(mp.describe(value))) as mp.RawValue<'i'>;
    value.close();
    const next = closing(new mp.RawValue('i', 9));
    expect([copy.value, next.value]).to.deep.equal([5, 9]);
  });
});

describe('Barrier', () => {
  const closing = closingAfterEach();

  it('_TestBarrier.test_single_thread: one party passes at once, also blocking', async () => {
    const barrier = closing(new mp.Barrier(1));
    expect([await barrier.wait(), barrier.waitSync(), await barrier.wait()]).to.deep.equal([0, 0, 0]);
  });

  it('_TestBarrier.test_action: the last party runs the action before any passes; its error breaks the barrier', async () => {
    let count = 0;
    const barrier = closing(new mp.Barrier(2, { action: () => count++ }));
    await Promise.all([barrier.wait(), barrier.wait()]);
    expect(count).to.equal(1);
    throws(() => mp.describe(barrier), { code: 'ERR_MP_NOT_SUPPORTED' });
    const failing = closing(
      new mp.Barrier(1, {
        action: () => {
          throw new RangeError('no');
        },
      }),
    );
    expect(await failing.wait().catch((error: unknown) => error)).to.be.instanceOf(RangeError);
    await rejects(failing.wait(), { code: 'ERR_MP_BROKEN_BARRIER' });
  });

  it('_TestBarrier.test_default_timeout, and its signal: end the wait, and break the barrier', async () => {
    const barrier = closing(new mp.Barrier(2, { timeout: 10 }));
    await rejects(barrier.wait(), { code: 'ERR_MP_BROKEN_BARRIER' });
    await barrier.reset();
    const controller = new AbortController();
    const waiting = barrier.wait({ timeout: 60_000, signal: controller.signal });
    controller.abort();
    await rejects(waiting, { code: 'ABORT_ERR' });
    expect([barrier.broken, barrier.nWaiting]).to.deep.equal([true, 0]);
  });

  it('rejects pending waits when it is closed, and refuses to block while they are pending', async () => {
    const barrier = new mp.Barrier(2);
    const waiting = barrier.wait();
    await turns();
    throws(() => barrier.waitSync(), { code: 'ERR_MP_BUSY' });
    barrier.close();
    await rejects(waiting, { code: 'ERR_MP_CLOSED' });
    await rejects(barrier.wait(), { code: 'ERR_MP_CLOSED' });
  });

  it('refuses wrong arguments', () => {
    for (const parties of [0, -1, 1.5, NaN]) throws(() => new mp.Barrier(parties), { code: RANGE });
    throws(() => new mp.Barrier(1, { action: 5 as never }), { code: TYPE });
    throws(() => new mp.Barrier(1, { timeout: NaN }), { code: RANGE });
  });
});
