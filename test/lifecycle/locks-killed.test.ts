// SPDX-License-Identifier: MIT
//
// Processes that are killed while they wait for a lock, or hold it.
import { expect } from 'chai';
import { describe as describeObject, Lock, RLock, type Descriptor } from 'node-multiprocessing';

import { edgePythons, newestPython, spawnPeer, type Peer } from '../helpers/index.js';
import { expectStoppedIsNotDead } from './support/lock-loops.js';
import { addressesOf, Member } from './support/locks.js';
import { child, pythonChild } from './support/programs.js';

interface Scene {
  readonly lock: Lock | RLock;
  readonly descriptor: Descriptor;
  readonly name: string;
}

function makeLock(nodeOnly: boolean, Class: typeof Lock | typeof RLock = Lock): Scene {
  const lock = new Class();
  const descriptor = describeObject(lock, { nodeOnly });
  return { lock, descriptor, name: addressesOf(descriptor)[0]!.name };
}

const calls = ['acquire', 'acquireSync'] as const;
const died = (pid: number, certain = true): object => ({ code: 'ERR_MP_OWNER_DIED', pid, certain });

describe('A waiter that is killed', function () {
  const victims: [string, string, (descriptor: Descriptor) => Promise<Member>][] = [
    ['Node, asynchronous', 'acquire', Member.node],
    ['Node, blocked', 'acquireSync', Member.node],
    ...edgePythons().map((python): [string, string, (descriptor: Descriptor) => Promise<Member>] => [
      `Python ${python.version}`,
      'acquire',
      (descriptor) => Member.python(descriptor, python),
    ]),
  ];
  for (const [label, call, start] of victims) {
    for (const other of calls) {
      it(`takes no value, and others go on (killed: ${label}, other: ${other})`, async function () {
        const { lock, descriptor, name } = makeLock(label.startsWith('Node'));
        lock.acquireSync();
        const victim = await start(descriptor);
        const survivor = await Member.node(descriptor);
        await victim.wait(name, call);
        await survivor.wait(name, other);
        await victim.kill();
        expect(lock.value).to.equal(0);
        lock.release();
        expect(await survivor.outcome()).to.deep.equal({ result: true });
        expect(lock.value).to.equal(0);
        await survivor.call('release');
        expect(lock.value).to.equal(1);
        lock.close();
      });
    }
  }
});

describe('A holder that is killed', function () {
  for (const Class of [Lock, RLock]) {
    for (const held of calls) {
      for (const waits of calls) {
        const title = `${Class.name}, held by ${held}, waited for by ${waits}`;

        it(`is replaced by the next waiter if only Node uses the lock (${title})`, async function () {
          const { lock, descriptor, name } = makeLock(true, Class);
          const holder = await Member.node(descriptor);
          const waiter = await Member.node(descriptor);
          expect(await holder.call(held)).to.deep.equal({ result: true });
          await waiter.wait(name, waits);
          await holder.kill();
          expect(await waiter.outcome()).to.deep.equal({ result: true });
          expect(lock.value).to.equal(0);
          await waiter.call('release');
          expect(lock.value).to.equal(1);
          lock.close();
        });

        it(`is reported if other programs may use the lock, and one waiter recovers it (${title})`, async function () {
          const { lock, descriptor, name } = makeLock(false, Class);
          const holder = await Member.node(descriptor);
          const waiters = [await Member.node(descriptor), await Member.node(descriptor)];
          expect(await holder.call(held)).to.deep.equal({ result: true });
          for (const waiter of waiters) await waiter.wait(name, waits);
          await holder.kill();
          for (const waiter of waiters) expect(await waiter.outcome()).to.deep.equal(died(holder.peer.pid));
          expect(lock.value).to.equal(0);
          for (const waiter of waiters) waiter.tell('recover');
          const recovered = await Promise.all(waiters.map((waiter) => waiter.outcome()));
          expect(recovered.filter(({ result }) => result as boolean)).to.have.length(1);
          expect(lock.value).to.equal(1);
          for (const waiter of waiters) {
            expect(await waiter.call(waits)).to.deep.equal({ result: true });
            expect(await waiter.call('release')).to.deep.equal({});
          }
          expect(lock.recover()).to.be.false;
          expect(lock.recover({ force: true })).to.be.false;
          expect(lock.value).to.equal(1);
          lock.close();
        });
      }
    }
  }

  it('is reported without certainty while a program without records has the lock open', async function () {
    const { lock, descriptor, name } = makeLock(false);
    const holder = await Member.node(descriptor);
    const waiter = await Member.node(descriptor);
    const python = await Member.python(descriptor);
    expect(await python.call('acquire', 0)).to.deep.equal({ result: true });
    await python.call('release');
    expect(await holder.call('acquire')).to.deep.equal({ result: true });
    await waiter.wait(name, 'acquire');
    await holder.kill();
    expect(await waiter.outcome()).to.deep.equal(died(holder.peer.pid, false));
    // The lock is still taken. Without that program it is certain that no process has it.
    await python.kill();
    expect(await waiter.call('acquire')).to.deep.equal(died(holder.peer.pid, true));
    expect(lock.recover()).to.be.true;
    lock.close();
  });

  it('is replaced by force only if it is Python', async function () {
    const { lock, descriptor } = makeLock(false);
    const holder = await Member.python(descriptor);
    expect(await holder.call('acquire')).to.deep.equal({ result: true });
    await holder.kill();
    expect(await lock.acquire({ timeout: 1200 })).to.be.false;
    expect(lock.recover()).to.be.false;
    expect(lock.recover({ force: true })).to.be.true;
    expect(await lock.acquire()).to.be.true;
    expect(lock.recover({ force: true })).to.be.false;
    lock.close();
  });

  for (const nodeOnly of [true, false]) {
    it(`counts as dead although its parent has not waited for it (nodeOnly: ${nodeOnly})`, async function () {
      const { lock, descriptor } = makeLock(nodeOnly);
      const { command, args } = child('lock-peer');
      const parent: Peer = spawnPeer(pythonChild(newestPython(), 'lock-zombie'), {
        args: [command, ...args, JSON.stringify(descriptor)],
        env: { PRELOAD: process.env['LD_PRELOAD'] ?? '' },
      });
      const pid = Number(await parent.line());
      const waiter = await Member.node(descriptor);
      await waiter.wait(addressesOf(descriptor)[0]!.name, 'acquire');
      parent.tell('kill');
      expect(await parent.line()).to.equal('zombie');
      expect(await waiter.outcome()).to.deep.equal(nodeOnly ? { result: true } : died(pid));
      await parent.release();
      await parent.succeeded();
      lock.close();
    });

    it(`may be a terminated worker (nodeOnly: ${nodeOnly})`, async function () {
      const { lock, descriptor, name } = makeLock(nodeOnly);
      const host = spawnPeer(child('lock-host'), { args: ['worker-terminate', 'hold', JSON.stringify(descriptor)] });
      expect(await host.line()).to.equal('held');
      const waiters = [await Member.node(descriptor), await Member.node(descriptor)];
      await waiters[0]!.wait(name, 'acquire');
      host.tell('end');
      expect(await host.line()).to.equal('ended');
      expect(await waiters[0]!.outcome()).to.deep.equal(nodeOnly ? { result: true } : died(host.pid));
      if (nodeOnly) await waiters[0]!.call('release');
      else expect(await waiters[0]!.call('recover')).to.deep.equal({ result: true });
      expect(await waiters[1]!.call('acquireSync')).to.deep.equal({ result: true });
      await host.release();
      await host.succeeded();
      lock.close();
    });
  }

  for (const nodeOnly of [true, false]) {
    for (const call of calls) {
      it(`does not count as dead while it is only stopped (${call}, nodeOnly: ${nodeOnly})`, function () {
        return expectStoppedIsNotDead(nodeOnly, call, 2500);
      });
    }
  }
});
