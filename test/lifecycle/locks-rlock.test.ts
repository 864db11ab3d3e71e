// SPDX-License-Identifier: MIT
//
// The owners of an RLock among the asynchronous tasks of one process.
import { expect } from 'chai';
import { Condition, RLock } from 'node-multiprocessing';

import { rejects, throws, turns, within } from '../helpers/index.js';

const WATCHDOG_MS = 20_000;

describe('An RLock among asynchronous tasks', function () {
  let lock: RLock;
  beforeEach(function () {
    lock = new RLock();
  });
  afterEach(function () {
    lock.close();
  });

  it('never lets two of fifty withLock callbacks overlap', async function () {
    let inside = 0;
    let done = 0;
    const task = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) {
        await lock.withLock(async () => {
          expect(++inside).to.equal(1);
          await turns(1 + (i % 3));
          await lock.withLock(async () => {
            expect(inside).to.equal(1);
            await turns(1);
          });
          inside--;
          done++;
        });
      }
    };
    await within(WATCHDOG_MS, Promise.all(Array.from({ length: 50 }, task)), 'all tasks');
    expect(done).to.equal(250);
    expect(lock.value).to.equal(1);
  });

  it('never lets two of fifty guards overlap, each of which is an owner by itself', async function () {
    let inside = 0;
    const task = async (): Promise<void> => {
      const guard = await lock.guard();
      expect(++inside).to.equal(1);
      await turns(1);
      inside--;
      guard.release();
      guard.release();
    };
    await within(WATCHDOG_MS, Promise.all(Array.from({ length: 50 }, task)), 'all tasks');
    expect(lock.value).to.equal(1);
  });

  const inner: Record<string, (lock: RLock) => Promise<void>> = {
    'withLock in withLock': (lock) => lock.withLock(() => lock.withLock(() => lock.withLock(() => turns(1)))),
    'acquire in withLock': (lock) =>
      lock.withLock(async () => {
        expect(await lock.acquire()).to.be.true;
        await turns(1);
        expect(lock.acquireSync()).to.be.true;
        lock.release();
        lock.release();
      }),
    'acquire in what a callback awaits': (lock) =>
      lock.withLock(async () => {
        await Promise.all(
          Array.from({ length: 3 }, async () => {
            await lock.acquire();
            await turns(1);
            lock.release();
          }),
        );
      }),
    'guard in withLock': (lock) =>
      lock.withLock(async () => {
        const guard = await lock.guard();
        guard.release();
      }),
    'acquire twice outside': async (lock) => {
      expect(await lock.acquire()).to.be.true;
      expect(await lock.acquire()).to.be.true;
      expect(lock.acquireSync()).to.be.true;
      for (let i = 0; i < 3; i++) lock.release();
    },
    'a wait of its Condition three deep': async () => {
      const own = new RLock();
      const condition = new Condition(own);
      const notified = own.withLock(() => own.withLock(() => own.withLock(() => condition.wait())));
      await turns();
      expect(own.value).to.equal(1);
      await own.withLock(() => condition.notify());
      expect(await notified).to.be.true;
      expect(own.value).to.equal(1);
      condition.close();
    },
  };
  for (const [name, run] of Object.entries(inner)) {
    it(`is entered again by ${name}, and free afterwards`, async function () {
      await within(WATCHDOG_MS, run(lock), 'the end');
      expect(lock.value).to.equal(1);
      throws(() => lock.release(), { code: 'ERR_MP_NOT_OWNER' });
    });
  }

  it('is not released by tasks that do not own it', async function () {
    throws(() => lock.release(), { code: 'ERR_MP_NOT_OWNER' });
    let leave = (): void => undefined;
    const stays = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const inside = lock.withLock(() => stays);
    await turns();
    throws(() => lock.release(), { code: 'ERR_MP_NOT_OWNER' });
    expect(await lock.acquire({ timeout: 1 })).to.be.false;
    expect(lock.value).to.equal(0);
    leave();
    await inside;
    await lock.acquire();
    // This releases what the thread owns, not what this callback owns.
    await rejects(
      lock.withLock(() => undefined, { timeout: 1 }),
      { code: 'ERR_MP_TIMEOUT' },
    );
    lock.release();
    expect(lock.value).to.equal(1);
  });

  it('is released when a callback throws', async function () {
    await rejects(
      lock.withLock(() => lock.withLock(() => Promise.reject(new RangeError('on purpose')))),
      { name: 'RangeError' },
    );
    expect(lock.value).to.equal(1);
  });
});
