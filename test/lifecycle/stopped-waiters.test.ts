// SPDX-License-Identifier: MIT
//
// Waiters that are stopped for a while, as by Ctrl-Z, a debugger or a paused container, and are notified meanwhile. Nothing
// proves them dead, so the notification stays theirs.
import { expect } from 'chai';
import {
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
} from 'node-multiprocessing';

import { foreignEnv, newestPython, packageRoot, track, within } from '../helpers/index.js';
import * as targets from './children/waiting-targets.js';
import { until, valueOf } from './support/locks.js';
import { stateOf } from './support/programs.js';

const WATCHDOG_MS = 30_000;

type Names = 'waitsForEvent' | 'waitsForCondition' | 'joins';

interface Form {
  readonly label: string;
  start(name: Names, args: unknown[]): BaseProcess;
}

const moduleUrl = new URL('./children/waiting-targets.js', import.meta.url).href;

function node(suffix: '' | 'Sync'): (name: Names, args: unknown[]) => BaseProcess {
  return (name, args) =>
    new Process({ module: moduleUrl, target: targets[`${name}${suffix}`] as () => void, args: args as [] });
}

const PYTHON_NAMES = {
  waitsForEvent: 'waits_for_event',
  waitsForCondition: 'waits_for_condition',
  joins: 'joins',
} as const;

const forms: readonly Form[] = [
  { label: 'Node, asynchronous', start: node('') },
  { label: 'Node, blocked', start: node('Sync') },
  {
    label: 'Python',
    start: (name, args) =>
      new PythonProcess({
        target: `children:${PYTHON_NAMES[name]}`,
        args,
        python: newestPython().path,
        pythonPath: `${packageRoot}/test/peers`,
        env: foreignEnv(),
      }),
  },
];

/** What a waiter waits for. */
interface Scene {
  readonly target: Names;
  readonly object: { close(): void };
  /** The semaphores of its condition. */
  readonly counters: ConditionAddress;
  notify(): Promise<unknown>;
}

function eventScene(sync: boolean): Scene {
  const event = new Event();
  const counters = (describeObject(event) as EventDescriptor).event.condition;
  const notify = async (): Promise<void> => {
    if (sync) event.setSync();
    else await event.set();
  };
  return { target: 'waitsForEvent', object: event, counters, notify };
}

function conditionScene(sync: boolean): Scene {
  const condition = new Condition();
  const counters = (describeObject(condition) as ConditionDescriptor).condition;
  const notify = async (): Promise<void> => {
    await condition.acquire();
    if (sync) condition.notifySync();
    else await condition.notify();
    condition.release();
  };
  return { target: 'waitsForCondition', object: condition, counters, notify };
}

async function queueScene(sync: boolean): Promise<Scene> {
  const queue = new JoinableQueue({ serialization: 'pickle' });
  await queue.put('job');
  await queue.get();
  const { condition } = describeObject(queue) as { condition?: ConditionDescriptor };
  const notify = async (): Promise<void> => {
    if (sync) queue.taskDoneSync();
    else await queue.taskDone();
  };
  return { target: 'joins', object: queue, counters: condition!.condition, notify };
}

const scenes: [string, (sync: boolean) => Scene | Promise<Scene>][] = [
  ['an Event that is set', eventScene],
  ['a Condition that is notified', conditionScene],
  ['a JoinableQueue whose last item is done', queueScene],
];

/** Starts a waiter, and stops it when it sleeps. */
async function stopped(form: Form, scene: Scene): Promise<{ child: BaseProcess; conn: Connection }> {
  const [ours, theirs] = Pipe(true, { serialization: 'pickle' });
  const child = form.start(scene.target, [theirs, scene.object]);
  child.start();
  theirs.close();
  const conn = track(ours);
  expect(await conn.recv()).to.equal('waiting');
  await until(() => valueOf(scene.counters.sleeping.name) > 0);
  process.kill(child.pid!, 'SIGSTOP');
  await until(() => stateOf(child.pid!) === 'T');
  return { child, conn };
}

describe('A waiter that is stopped when it is notified', function () {
  for (const form of forms) {
    for (const [name, make] of scenes) {
      for (const sync of [false, true]) {
        it(`wakes when it goes on: ${name} (${form.label}; notified ${sync ? 'blocking' : 'asynchronously'})`, async function () {
          // Regression: after a second the notification was taken back, and the waiter waited for ever.
          const scene = await make(sync);
          const { child, conn } = await stopped(form, scene);
          await scene.notify();
          process.kill(child.pid!, 'SIGCONT');
          expect(await within(WATCHDOG_MS, conn.recv(), 'the waiter')).to.equal(true);
          await child.join();
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
      await scene.notify();
      await scene.notify();
      process.kill(child.pid!, 'SIGCONT');
      expect(await within(WATCHDOG_MS, conn.recv(), 'the waiter')).to.equal(true);
      await child.join();
      await scene.notify();
      expect(valueOf(scene.counters.wait.name)).to.equal(0);
      scene.object.close();
    });

    it(`leaves no notification behind when it is killed (${form.label})`, async function () {
      const scene = conditionScene(false);
      const { child } = await stopped(form, scene);
      await scene.notify();
      child.kill();
      await child.join();
      await scene.notify();
      expect(valueOf(scene.counters.wait.name)).to.equal(0);
      scene.object.close();
    });
  }
});
