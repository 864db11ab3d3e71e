// SPDX-License-Identifier: MIT
//
// Locks that Python children hold when they are killed. The children keep the records that Node members keep, so the others go
// on as after the death of a Node process.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';
import { Condition, Lock, Pipe, PythonProcess, RLock, type Connection } from 'node-multiprocessing';

import { edgePythons, foreignEnv, packageRoot, track, type Python } from '../helpers/index.js';
import { until } from './support/locks.js';
import { untilAsleep } from './support/programs.js';

interface Child {
  readonly child: PythonProcess;
  readonly conn: Connection;
}

function start(python: Python, target: string, ...args: unknown[]): Child {
  const [conn, theirs] = Pipe(true, { serialization: 'pickle' });
  track(conn);
  const child = new PythonProcess({
    target: `recorded:${target}`,
    args: [theirs, ...args],
    python: python.path,
    pythonPath: join(packageRoot, 'test', 'peers'),
    env: foreignEnv(),
  });
  child.start();
  theirs.close();
  return { child, conn };
}

async function kill({ child }: Child): Promise<void> {
  child.kill();
  await child.join();
  expect(child.exitcode).to.equal(-9);
  child.close();
}

for (const python of edgePythons()) {
  describe(`A lock whose holder, a Python child, is killed (Python ${python.version})`, () => {
    for (const [name, make, target] of [
      ['a Lock', () => new Lock(), 'hold'],
      ['an RLock', () => new RLock(), 'hold'],
      ['an RLock that was taken twice', () => new RLock(), 'hold_again'],
      ['a Lock that a thread has taken', () => new Lock(), 'hold_in_thread'],
    ] as const) {
      it(`is taken over by a Node process: ${name}`, async () => {
        const lock = make();
        const holder = start(python, target, lock);
        expect(await holder.conn.recv()).to.equal('held');
        expect(await lock.acquire({ block: false })).to.equal(false);
        const waiting = lock.acquire();
        await kill(holder);
        expect(await waiting).to.equal(true);
        lock.release();
        lock.close();
      });
    }

    // Regression: a Python process that computed, or waited for anything, counted as a possible holder, and nothing was released.
    it('is taken over by another Python child that waits for it', async () => {
      const lock = new Lock();
      const holder = start(python, 'hold', lock);
      expect(await holder.conn.recv()).to.equal('held');
      const waiter = start(python, 'wait_for', lock);
      const pid = (await waiter.conn.recv()) as number;
      await untilAsleep(pid, 'futex');
      // No member of the lock is left that looks for its holder: the waiter sleeps in sem_wait.
      lock.close();
      await kill(holder);
      expect(await waiter.conn.recv()).to.equal('held');
      await waiter.conn.send('enough');
      await waiter.child.join();
    });

    // Regression: the waiter that was killed could not say any more that it had not got the lock, so nothing released the lock.
    it('is taken over if one of two waiters is killed, too, before it is certain that neither has the lock', async () => {
      const lock = new Lock();
      const holder = start(python, 'take_unsaid', lock);
      expect(await holder.conn.recv()).to.equal('taken');
      const waiters = [start(python, 'wait_for', lock), start(python, 'wait_for', lock)] as const;
      for (const { conn } of waiters) await untilAsleep((await conn.recv()) as number, 'futex');
      process.kill(waiters[0].child.pid!, 'SIGSTOP');
      await kill(holder);
      // A call that gives up looks for the holder once more, and now cannot tell.
      expect(await lock.acquire({ block: false })).to.equal(false);
      await kill(waiters[0]);
      expect(await waiters[1].conn.recv()).to.equal('held');
      await waiters[1].conn.send('enough');
      await waiters[1].child.join();
      lock.close();
    });

    // Regression: a process counted as dead as soon as its first thread had ended.
    it('stays with a holder whose first thread has ended', async () => {
      const lock = new Lock();
      const holder = start(python, 'hold_without_first_thread', lock);
      expect(await holder.conn.recv()).to.equal('held');
      await until(() => /\) Z /.test(readFileSync(`/proc/${holder.child.pid}/stat`, 'utf8')));
      expect(await lock.acquire({ block: false })).to.equal(false);
      await kill(holder);
      expect(await lock.acquire()).to.equal(true);
      lock.release();
      lock.close();
    });

    it('stays with a holder that lives, when another child that waits for it is killed', async () => {
      const lock = new Lock();
      const holder = start(python, 'hold', lock);
      expect(await holder.conn.recv()).to.equal('held');
      const waiter = start(python, 'wait_for', lock);
      await untilAsleep((await waiter.conn.recv()) as number, 'futex');
      await kill(waiter);
      expect(await lock.acquire({ timeout: 1200 })).to.equal(false);
      await kill(holder);
      expect(await lock.acquire()).to.equal(true);
      lock.release();
      lock.close();
    });

    it('stays with a holder that is stopped', async () => {
      const lock = new Lock();
      const holder = start(python, 'hold', lock);
      expect(await holder.conn.recv()).to.equal('held');
      process.kill(holder.child.pid!, 'SIGSTOP');
      expect(await lock.acquire({ timeout: 1200 })).to.equal(false);
      await kill(holder);
      expect(await lock.acquire()).to.equal(true);
      lock.release();
      lock.close();
    });

    for (const method of ['spawn', 'fork']) {
      it(`is taken over from a grandchild (${method})`, async () => {
        const lock = new Lock();
        const parent = start(python, 'grandchild', lock, method);
        // Two processes send these, in any order.
        const sent = [await parent.conn.recv(), await parent.conn.recv()];
        expect(sent).to.include('held');
        const pid = sent.find((value) => typeof value === 'number') as number;
        const waiter = start(python, 'wait_for', lock);
        await untilAsleep((await waiter.conn.recv()) as number, 'futex');
        process.kill(pid, 'SIGKILL');
        expect(await waiter.conn.recv()).to.equal('held');
        await waiter.conn.send('enough');
        await waiter.child.join();
        await kill(parent);
        lock.close();
      });
    }

    it('stays with its holder when a process that the holder has forked ends', async () => {
      const lock = new Lock();
      const holder = start(python, 'hold_and_fork', lock);
      const pid = (await holder.conn.recv()) as number;
      process.kill(pid, 'SIGKILL');
      expect(await lock.acquire({ timeout: 1200 })).to.equal(false);
      await kill(holder);
      expect(await lock.acquire()).to.equal(true);
      lock.release();
      lock.close();
    });

    it('is free for all once a Python process has released it in the place of its holder', async () => {
      const lock = new Lock();
      await lock.acquire();
      const other = start(python, 'release_of_other', lock);
      expect(await other.conn.recv()).to.equal('released');
      const holder = start(python, 'hold', lock);
      expect(await holder.conn.recv()).to.equal('held');
      await kill(holder);
      expect(await lock.acquire()).to.equal(true);
      lock.release();
      await other.conn.send('enough');
      await other.child.join();
      lock.close();
    });

    it('is taken over if it is that of a Condition', async () => {
      const condition = new Condition();
      const holder = start(python, 'hold', condition);
      expect(await holder.conn.recv()).to.equal('held');
      await kill(holder);
      await condition.withLock(() => condition.notifyAll());
      condition.close();
    });
  });
}
