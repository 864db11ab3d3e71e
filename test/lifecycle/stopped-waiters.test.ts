// SPDX-License-Identifier: MIT
//
// Waiters that are stopped for a while, as by Ctrl-Z, a debugger or a paused container, and are notified meanwhile. Nothing
// proves them dead, so the notification stays theirs.
import { expect } from 'chai';
import {
  attach,
  Condition,
  describe as describeObject,
  Event,
  JoinableQueue,
  Pipe,
  Process,
  PythonProcess,
  type BaseProcess,
  type ConditionAddress,
  type ConditionDescriptor,
  type Connection,
  type EventDescriptor,
  type SemLockDescriptor,
} from 'node-multiprocessing';

import { foreignEnv, newestPython, packageRoot, track, within } from '../helpers/index.js';
import * as targets from './children/waiting-targets.js';
import { sleepersOn, until, valueOf } from './support/locks.js';
import { stateOf } from './support/programs.js';

const WATCHDOG_MS = 30_000;

type Names = 'waitsForEvent' | 'waitsForCondition' | 'joins';

interface Form {
  readonly label: string;
  start(name: Names, args: unknown[]): BaseProcess;
}

const moduleUrl = new URL('./children/waiting-targets.js', import.meta.url).href;

function node(suffix: '' | 'Sync' | 'InWorker'): (name: Names, args: unknown[]) => BaseProcess {
  return (name, args) =>
    new Process({ module: moduleUrl, target: targets[`${name}${suffix}`] as () => void, args: args as [] });
}

const PYTHON_NAMES = {
  waitsForEvent: 'waits_for_event',
  waitsForCondition: 'waits_for_condition',
  joins: 'joins',
} as const;

const python: Form = {
  label: 'Python',
  start: (name, args) =>
    new PythonProcess({
      target: `children:${PYTHON_NAMES[name]}`,
      args,
      python: newestPython().path,
      pythonPath: `${packageRoot}/test/peers`,
      env: foreignEnv(),
    }),
};

const nodeForms: readonly Form[] = [
  { label: 'Node, asynchronous', start: node('') },
  { label: 'Node, blocked', start: node('Sync') },
  { label: 'Node, in a worker', start: node('InWorker') },
];

const forms: readonly Form[] = [...nodeForms, python];

/** What a waiter waits for. */
interface Scene {
  readonly target: Names;
  readonly object: { close(): void };
  /** The semaphores of its condition. */
  readonly counters: ConditionAddress;
  /** The name of its lock. */
  readonly lock: string;
  notify(): Promise<unknown>;
}

function eventScene(sync: boolean, event = new Event()): Scene {
  const { condition, lock } = (describeObject(event) as EventDescriptor).event;
  const notify = async (): Promise<void> => {
    if (sync) event.setSync();
    else await event.set();
  };
  return { target: 'waitsForEvent', object: event, counters: condition, lock: lock.name, notify };
}

function conditionScene(sync: boolean): Scene {
  return sceneOf(new Condition(), sync);
}

function sceneOf(condition: Condition, sync: boolean): Scene {
  const { condition: counters, lock } = describeObject(condition) as ConditionDescriptor;
  const notify = async (): Promise<void> => {
    await condition.acquire();
    if (sync) condition.notifySync();
    else await condition.notify();
    condition.release();
  };
  return { target: 'waitsForCondition', object: condition, counters, lock: lock.semaphore.name, notify };
}

async function queueScene(sync: boolean): Promise<Scene> {
  const queue = new JoinableQueue({ serialization: 'pickle' });
  await queue.put('job');
  await queue.get();
  const { condition: counters, lock } = (describeObject(queue) as { condition?: ConditionDescriptor }).condition!;
  const notify = async (): Promise<void> => {
    if (sync) queue.taskDoneSync();
    else await queue.taskDone();
  };
  return { target: 'joins', object: queue, counters, lock: lock.semaphore.name, notify };
}

const scenes: [string, (sync: boolean) => Scene | Promise<Scene>][] = [
  ['an Event that is set', eventScene],
  ['a Condition that is notified', conditionScene],
  ['a JoinableQueue whose last item is done', queueScene],
];

interface Waiter {
  readonly child: BaseProcess;
  readonly conn: Connection;
}

/** Starts a waiter, which says that it is about to wait. */
async function started(form: Form, scene: Scene): Promise<Waiter> {
  const [ours, theirs] = Pipe(true, { serialization: 'pickle' });
  const child = form.start(scene.target, [theirs, scene.object]);
  child.start();
  theirs.close();
  const conn = track(ours);
  expect(await within(WATCHDOG_MS, conn.recv(), 'the start')).to.equal('waiting');
  return { child, conn };
}

async function stop({ child }: Waiter): Promise<void> {
  process.kill(child.pid!, 'SIGSTOP');
  await within(
    WATCHDOG_MS,
    until(() => stateOf(child.pid!) === 'T'),
    'the stop',
  );
}

function resume({ child }: Waiter): void {
  process.kill(child.pid!, 'SIGCONT');
}

/** Starts a waiter, and stops it when it sleeps as the `nth` one. */
async function stopped(form: Form, scene: Scene, nth = 1): Promise<Waiter> {
  const waiter = await started(form, scene);
  await within(
    WATCHDOG_MS,
    // It counts itself before it gives the lock back. A process that is stopped in between holds up all others, rightly.
    until(() => valueOf(scene.counters.sleeping.name) === nth && valueOf(scene.lock) === 1),
    'the sleep',
  );
  await stop(waiter);
  return waiter;
}

describe('A waiter that is stopped when it is notified', function () {
  for (const form of forms) {
    for (const [name, make] of scenes) {
      for (const sync of [false, true]) {
        it(`wakes when it goes on: ${name} (${form.label}; notified ${sync ? 'blocking' : 'asynchronously'})`, async function () {
          // Regression: after a second the notification was taken back, and the waiter waited for ever.
          const scene = await make(sync);
          const { child, conn } = await stopped(form, scene);
          await within(WATCHDOG_MS, scene.notify(), 'the notifier');
          // Of a waiter with a record nothing is left where others look.
          if (form !== python) expect(valueOf(scene.counters.wait.name)).to.equal(0);
          process.kill(child.pid!, 'SIGCONT');
          expect(await within(WATCHDOG_MS, conn.recv(), 'the waiter')).to.equal(true);
          await within(WATCHDOG_MS, child.join(), 'the end of the child');
          // Nothing is left for a later waiter.
          await scene.notify().catch(() => undefined);
          expect(valueOf(scene.counters.wait.name)).to.equal(0);
          scene.object.close();
        });
      }
    }

    it(`wakes also after further notifications, each once (${form.label})`, async function () {
      const scene = conditionScene(false);
      const { child, conn } = await stopped(form, scene);
      await within(WATCHDOG_MS, scene.notify(), 'the notifier');
      await within(WATCHDOG_MS, scene.notify(), 'the notifier');
      process.kill(child.pid!, 'SIGCONT');
      expect(await within(WATCHDOG_MS, conn.recv(), 'the waiter')).to.equal(true);
      await within(WATCHDOG_MS, child.join(), 'the end of the child');
      await within(WATCHDOG_MS, scene.notify(), 'the notifier');
      expect(valueOf(scene.counters.wait.name)).to.equal(0);
      scene.object.close();
    });

    it(`leaves no notification behind when it is killed (${form.label})`, async function () {
      const scene = conditionScene(false);
      const { child } = await stopped(form, scene);
      await within(WATCHDOG_MS, scene.notify(), 'the notifier');
      child.kill();
      await within(WATCHDOG_MS, child.join(), 'the end of the child');
      await within(WATCHDOG_MS, scene.notify(), 'the notifier');
      expect(valueOf(scene.counters.wait.name)).to.equal(0);
      scene.object.close();
    });

    it(`keeps its notification from waiters that begin later (${form.label})`, async function () {
      // Regression: the next waiter took the notification that was left.
      const condition = new Condition();
      const scene = sceneOf(condition, false);
      const waiter = await stopped(form, scene);
      await within(WATCHDOG_MS, scene.notify(), 'the notifier');
      expect(await condition.withLock(() => condition.wait(150))).to.equal(false);
      condition.acquireSync();
      expect(condition.waitSync(150)).to.equal(false);
      condition.release();
      resume(waiter);
      expect(await within(WATCHDOG_MS, waiter.conn.recv(), 'the waiter')).to.equal(true);
      await within(WATCHDOG_MS, waiter.child.join(), 'the end of the child');
      await within(WATCHDOG_MS, scene.notify(), 'the notifier');
      condition.close();
    });
  }

  for (const form of nodeForms) {
    it(`does not keep later waiters from later notifications (${form.label})`, async function () {
      const condition = new Condition();
      const scene = sceneOf(condition, false);
      const waiters = [await stopped(form, scene), await stopped(python, scene, 2)];
      await condition.withLock(() => condition.notifyAll());
      const late = condition.withLock(() => condition.wait());
      await until(() => valueOf(scene.counters.sleeping.name) === 3);
      await condition.withLock(() => condition.notifyAll());
      expect(await within(WATCHDOG_MS, late, 'the late waiter')).to.equal(true);
      for (const waiter of waiters) {
        resume(waiter);
        expect(await within(WATCHDOG_MS, waiter.conn.recv(), 'the waiter')).to.equal(true);
        await within(WATCHDOG_MS, waiter.child.join(), 'the end of the child');
      }
      condition.close();
    });

    for (const older of [false, true]) {
      it(`leaves its notification to another waiter when it is killed (${form.label}, the ${older ? 'first' : 'second'} of two)`, async function () {
        const condition = new Condition();
        const scene = sceneOf(condition, false);
        const first = await stopped(form, scene);
        const second = await stopped(form, scene, 2);
        // Which of the two has it is not known, and makes no difference: the one that lives must wake.
        const [dies, lives] = older ? [first, second] : [second, first];
        await within(WATCHDOG_MS, scene.notify(), 'the notifier');
        dies.child.kill();
        await within(WATCHDOG_MS, dies.child.join(), 'the end of the child');
        resume(lives);
        expect(await within(WATCHDOG_MS, lives.conn.recv(), 'the waiter')).to.equal(true);
        await within(WATCHDOG_MS, lives.child.join(), 'the end of the child');
        condition.close();
      });
    }
  }
});

describe('A waiter that is stopped at another moment', function () {
  for (const form of forms) {
    it(`waits when it goes on: it has no lock yet (${form.label})`, async function () {
      const event = new Event();
      const scene = eventScene(false, event);
      const { event: parts } = describeObject(event) as EventDescriptor;
      const lock = attach({ type: 'Lock', semaphore: parts.lock });
      await lock.acquire();
      const waiter = await started(form, scene);
      await until(() => sleepersOn(parts.lock.name) > 0);
      await stop(waiter);
      lock.release();
      await event.set();
      await event.clear();
      resume(waiter);
      await until(() => valueOf(scene.counters.sleeping.name) > valueOf(scene.counters.woken.name));
      await event.set();
      expect(await within(WATCHDOG_MS, waiter.conn.recv(), 'the waiter')).to.equal(true);
      await within(WATCHDOG_MS, waiter.child.join(), 'the end of the child');
      lock.close();
      event.close();
    });

    it(`has been notified when it goes on: it waits for its lock (${form.label})`, async function () {
      const condition = new Condition();
      const scene = sceneOf(condition, false);
      const { lock } = describeObject(condition) as ConditionDescriptor & { lock: SemLockDescriptor };
      const waiter = await started(form, scene);
      await until(() => valueOf(scene.counters.sleeping.name) === 1);
      await condition.acquire();
      await condition.notify();
      await until(() => sleepersOn(lock.semaphore.name) > 0);
      await stop(waiter);
      condition.release();
      // The lock stays usable for others meanwhile.
      await condition.withLock(() => condition.notifyAll());
      resume(waiter);
      expect(await within(WATCHDOG_MS, waiter.conn.recv(), 'the waiter')).to.equal(true);
      await within(WATCHDOG_MS, waiter.child.join(), 'the end of the child');
      condition.close();
    });
  }
});
