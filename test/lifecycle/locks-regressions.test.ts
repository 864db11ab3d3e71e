// SPDX-License-Identifier: MIT
//
// Defects of locks that were found. The first comment of each test says what failed.
import { expect } from 'chai';
import { attach, Condition, describe as describeObject, Event, Lock, type Descriptor } from 'node-multiprocessing';

import { rejects, spawnPeer, turns, within } from '../helpers/index.js';
import { addressesOf, Member } from './support/locks.js';
import { child, report } from './support/programs.js';

const WATCHDOG_MS = 20_000;

describe('An abort', function () {
  it('rejects each of a hundred acquires that are aborted at once', async function () {
    // Regression: one in 65 acquires waits for a turn of the event loop first, and an abort during that turn had no
    // effect.
    const lock = new Lock();
    lock.acquireSync();
    const all = Array.from({ length: 100 }, () => {
      const controller = new AbortController();
      const pending = lock.acquire({ signal: controller.signal });
      controller.abort();
      return rejects(pending, { code: 'ABORT_ERR' });
    });
    try {
      await within(WATCHDOG_MS, Promise.all(all), 'all rejections');
    } finally {
      lock.close();
      await Promise.allSettled(all);
    }
  });

  it('rejects waitFor if it comes while the predicate runs', async function () {
    // Regression: the listener was added to a signal that had aborted already.
    const condition = new Condition();
    const controller = new AbortController();
    const pending = condition.withLock(() =>
      condition.waitFor(
        () => {
          controller.abort();
          return false;
        },
        { signal: controller.signal },
      ),
    );
    try {
      await within(WATCHDOG_MS, rejects(pending, { code: 'ABORT_ERR' }), 'the rejection');
    } finally {
      condition.close();
      await pending.catch(() => undefined);
    }
  });

  it('rejects Event.wait if it comes while another process holds the lock of the event', async function () {
    // Regression: the same.
    const event = new Event();
    const [address] = addressesOf(describeObject(event, { nodeOnly: true }));
    const lock = attach({ type: 'Lock', semaphore: address! });
    lock.acquireSync();
    const controller = new AbortController();
    const pending = event.wait({ signal: controller.signal });
    await turns();
    controller.abort();
    await turns();
    lock.release();
    try {
      await within(WATCHDOG_MS, rejects(pending, { code: 'ABORT_ERR' }), 'the rejection');
    } finally {
      event.close();
      lock.close();
      await pending.catch(() => undefined);
    }
  });
});

describe('A Condition', function () {
  it('goes on after a notifier that took a notification back and has ended', async function () {
    // Regression: what notify() took back was recorded as holding the semaphore on which waiters sleep. When the
    // notifier had ended, every later wait() of Node rejected with OwnerDied.
    const condition = new Condition();
    const descriptor = describeObject(condition);
    const wait = addressesOf(descriptor).at(-1)!;
    const victim = await Member.python(descriptor);
    await victim.call('acquire');
    await victim.wait(wait.name, 'wait');
    await victim.kill();
    const notifier = await Member.node(descriptor);
    await notifier.call('acquire');
    expect(await notifier.call('notify')).to.deep.equal({});
    await notifier.call('release');
    await notifier.kill();
    try {
      expect(await condition.withLock(() => condition.wait(1500))).to.be.false;
    } finally {
      condition.close();
    }
  });

  for (const nodeOnly of [true, false]) {
    it(`goes on after a waiter that is killed between its notification and its event loop (nodeOnly: ${nodeOnly})`, async function () {
      // Regression: between the semaphore and the event loop the waiter was recorded as holding it. Later waits
      // rejected with OwnerDied, for ever, or (nodeOnly) resolved to true without a notification.
      const condition = new Condition();
      const descriptor = describeObject(condition, { nodeOnly });
      const wait = addressesOf(descriptor).at(-1)!;
      const victim = await Member.node(descriptor);
      await victim.call('acquire');
      await victim.wait(wait.name, 'wait');
      // The other threads of the process go on, and take the notification.
      victim.tell('block');
      expect(await report(victim.peer)).to.deep.equal({ blocked: true });
      await condition.withLock(() => condition.notify());
      await victim.kill();
      try {
        expect(await condition.withLock(() => condition.wait(1500))).to.be.false;
      } finally {
        condition.close();
      }
    });
  }
});

describe("The record of a lock's holder", function () {
  it('has room again after 600 locks that their holder closed', async function () {
    // Regression: those records stayed, and after 510 of them the deaths of holders went unnoticed.
    const peer = spawnPeer(child('lock-family'), { args: ['crowd'] });
    expect(await report(peer)).to.deep.equal({ acquired: true });
    await peer.succeeded();
  });

  const closings: Record<string, (creator: Member) => Promise<void>> = {
    async 'close() of the creator'(creator) {
      await creator.call('close');
    },
    async 'the exit of the creator'(creator) {
      creator.tell('exit', 0);
      await creator.peer.exit;
    },
  };
  for (const [how, close] of Object.entries(closings)) {
    it(`still says after ${how} that other programs may use the lock`, async function () {
      // Regression: it forgot that with the name, and the lock of a dead holder was released without an OwnerDied.
      const creator = await Member.start(child('lock-peer'), 'create');
      const descriptor = await creator.call('describe');
      // Another process, since this process would stay a member of that family.
      const waiter = await Member.node(descriptor.result);
      const holder = await Member.node(descriptor.result);
      expect(await holder.call('acquire')).to.deep.equal({ result: true });
      await close(creator);
      await holder.kill();
      const outcome = await waiter.call('acquire', { timeout: WATCHDOG_MS });
      for (const member of [creator, waiter]) {
        member.tell('exit', 0);
        await member.peer.succeeded();
      }
      expect(outcome).to.deep.equal({ code: 'ERR_MP_OWNER_DIED', pid: holder.peer.pid, certain: true });
    });
  }

  it('keeps recover() from letting a second holder in beside a living one', async function () {
    // Regression: without `force` it did not look whether another process has the lock by now.
    const lock = new Lock();
    const descriptor = describeObject(lock);
    const holder = await Member.node(descriptor);
    expect(await holder.call('acquire')).to.deep.equal({ result: true });
    await holder.kill();
    // In place of the dead holder, as Python may.
    const python = await Member.python(descriptor);
    expect(await python.call('release')).to.deep.equal({ result: null });
    expect(await lock.acquire({ timeout: 0 })).to.be.true;
    const other = attach(descriptor as Descriptor & { type: 'Lock' });
    try {
      expect(other.recover()).to.be.false;
      expect(lock.value).to.equal(0);
    } finally {
      other.close();
      lock.close();
    }
  });
});

describe('An exit listener of the program', function () {
  it('can still release a lock', async function () {
    // Regression: the semaphores were closed by a listener that runs before those of the program (EBADF).
    const peer = spawnPeer(child('lock-family'), { args: ['exit-listener'] });
    expect(await report(peer)).to.deep.equal({ released: true });
    await peer.succeeded();
  });
});
