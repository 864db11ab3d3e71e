// SPDX-License-Identifier: MIT
//
// lock-faults <scene>: makes one system call after the other fail in the operations of locks, conditions and events. Each
// time the lock is held as the answer says, and the next notification arrives. Prints a FaultReport.
import { Condition, Event } from 'node-multiprocessing';

import { checkCode, codeOf, eachPlan, equal, HANG_MS, Partner, play } from '../support/fault-scenes.js';

const condition = new Condition();
const event = new Event();
const partner = new Partner(new URL('./lock-obey.js', import.meta.url), 'obey', [condition, event]);

async function tellAndHear(line: string, answer: string, what: string): Promise<void> {
  partner.tell(line);
  equal(await partner.line(), answer, what);
}

const scenes: Record<string, () => Promise<void>> = {
  async acquire() {
    await eachPlan('acquire', async (plan, what) => {
      await tellAndHear('hold', 'hold', what);
      plan.arm();
      const pending = condition.acquire({ timeout: HANG_MS });
      const code = codeOf(pending);
      partner.tell('release');
      const outcome = await code;
      checkCode(outcome, plan.disarm(), what);
      equal(await partner.line(), 'release', what);
      if (outcome === 'done') condition.release();
      await tellAndHear('hold', 'hold', `${what}, later`);
      await tellAndHear('release', 'release', `${what}, later`);
    });
  },

  async wait() {
    await eachPlan('wait', async (plan, what) => {
      await condition.acquire();
      plan.arm();
      const pending = codeOf(condition.wait({ timeout: HANG_MS }));
      partner.tell('notify');
      const outcome = await pending;
      checkCode(outcome, plan.disarm(), what);
      // Whatever the wait has met, its caller holds the lock again.
      equal(await codeOf(Promise.resolve().then(() => condition.release())), 'done', `${what}, its lock`);
      equal(await partner.line(), 'notify', what);
      // No notification is left over, and none is missing.
      await condition.acquire();
      const next = condition.wait({ timeout: HANG_MS });
      partner.tell('notify');
      equal(await next, true, `${what}, the next wait`);
      condition.release();
      equal(await partner.line(), 'notify', `${what}, the next wait`);
    });
  },

  async notify() {
    await eachPlan('notify', async (plan, what) => {
      await tellAndHear('wait', 'waiting', what);
      await condition.acquire();
      plan.arm();
      const outcome = await codeOf(condition.notify());
      checkCode(outcome, plan.disarm(), what);
      if (outcome !== 'done') await condition.notify();
      condition.release();
      equal(await partner.line(), 'wait', what);
    });
  },

  async event() {
    await eachPlan('set and wait', async (plan, what) => {
      await event.clear();
      await tellAndHear('waitEvent', 'waiting', what);
      plan.arm();
      const outcome = await codeOf(event.set());
      checkCode(outcome, plan.disarm(), what);
      if (outcome !== 'done') await event.set();
      equal(await partner.line(), 'waitEvent', what);
      await event.clear();
      plan.arm();
      const pending = codeOf(event.wait({ timeout: HANG_MS }));
      partner.tell('set');
      checkCode(await pending, plan.disarm(), what);
      equal(await partner.line(), 'set', what);
      equal(await event.wait({ timeout: HANG_MS }), true, `${what}, once more`);
    });
  },
};

await play(scenes);
await partner.end();
event.close();
condition.close();
