// SPDX-License-Identifier: MIT
//
// The counters of a Condition after a failure. Python's notify() relies on them: it would wait for ever for a sleeper
// that never wakes.
import { expect } from 'chai';
import { attach, Condition, describe as describeObject, Lock, type ConditionDescriptor } from 'node-multiprocessing';

import { rejects, turns } from '../helpers/index.js';

function counters(descriptor: ConditionDescriptor): { asleep(): number; close(): void } {
  const sleeping = attach({ type: 'Semaphore', semaphore: descriptor.condition.sleeping });
  const woken = attach({ type: 'Semaphore', semaphore: descriptor.condition.woken });
  return {
    asleep: () => sleeping.value - woken.value,
    close() {
      sleeping.close();
      woken.close();
    },
  };
}

describe('The counters of a Condition', function () {
  it('contain no sleeper after close() during waits', async function () {
    // Regression: the waiters of that moment were never counted as awake.
    const condition = new Condition();
    const descriptor = describeObject(condition) as ConditionDescriptor;
    const count = counters(descriptor);
    const other = attach(descriptor);
    const waits = [1, 2].map(() => other.withLock(() => other.wait()));
    const ended = waits.map((wait) => rejects(wait, { code: 'ERR_MP_CLOSED' }));
    while (count.asleep() < 2) await turns();
    other.close();
    expect(count.asleep()).to.equal(0);
    await Promise.all(ended);
    expect(count.asleep()).to.equal(0);
    await condition.withLock(() => condition.notify());
    count.close();
    condition.close();
  });

  it('do not change by a wait whose lock another owner has released', async function () {
    // Regression: the wait had counted itself as asleep before it gave the lock back, which failed.
    const condition = new Condition(new Lock());
    const descriptor = describeObject(condition) as ConditionDescriptor;
    const count = counters(descriptor);
    const lock = attach(descriptor.lock);
    await condition.acquire();
    lock.release();
    await rejects(condition.wait(0), { code: 'ERR_MP_RELEASED_TOO_OFTEN' });
    expect(count.asleep()).to.equal(0);
    lock.close();
    count.close();
    condition.close();
  });
});
