// SPDX-License-Identifier: MIT
//
// Processes that are killed while they wait for a notification.
import { expect } from 'chai';
import { Condition, describe as describeObject, type ConditionDescriptor } from 'node-multiprocessing';

import { within } from '../helpers/index.js';
import { Member, until, valueOf } from './support/locks.js';

const WATCHDOG_MS = 20_000;

interface Form {
  readonly label: string;
  readonly acquire: string;
  readonly wait: string;
  start(descriptor: ConditionDescriptor): Promise<Member>;
}

const forms: readonly Form[] = [
  { label: 'Node, asynchronous', acquire: 'acquire', wait: 'wait', start: (d) => Member.node(d) },
  { label: 'Node, blocked', acquire: 'acquireSync', wait: 'waitSync', start: (d) => Member.node(d) },
  { label: 'Python', acquire: 'acquire', wait: 'wait', start: (d) => Member.python(d) },
];

describe('A waiter of a Condition that is killed', function () {
  for (const victim of forms) {
    for (const survivor of forms) {
      for (const method of ['notify', 'notifyAll'] as const) {
        it(`does not keep ${method} from another waiter (killed: ${victim.label}, other: ${survivor.label})`, async function () {
          const condition = new Condition();
          const descriptor = describeObject(condition) as ConditionDescriptor;
          const { sleeping, wait } = descriptor.condition;
          const begin = async (form: Form): Promise<Member> => {
            const member = await form.start(descriptor);
            expect(await member.call(form.acquire)).to.deep.equal({ result: true });
            await member.wait(wait.name, form.wait);
            return member;
          };
          const notify = (): Promise<void> =>
            within(
              WATCHDOG_MS,
              condition.withLock(() => condition[method]()),
              `the end of ${method}`,
            );
          const dies = await begin(victim);
          const lives = await begin(survivor);
          await until(() => valueOf(sleeping.name) === 2);
          await dies.kill();
          // The waiter takes the lock again. The notifier must not wait for that.
          await notify();
          expect(await lives.outcome()).to.deep.equal({ result: true });
          await lives.call('release');
          // Of a process without records that still has the condition open, nothing tells that it is not the waiter.
          if (victim.label === 'Python' && survivor.label === 'Python') await lives.kill();
          // No waiter is left, and later waiters do not find the notification that no waiter took.
          await notify();
          expect(valueOf(wait.name)).to.equal(0);
          const late = await begin(survivor);
          await notify();
          expect(await late.outcome()).to.deep.equal({ result: true });
          await late.call('release');
          expect(await condition.withLock(() => condition.wait(50))).to.be.false;
          condition.close();
        });
      }
    }
  }
});
