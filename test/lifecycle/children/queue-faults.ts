// SPDX-License-Identifier: MIT
//
// queue-faults <scene>: makes one system call after the other fail in a queue's operations, and looks each time
// whether the queue is as before or the operation complete. Prints a FaultReport.
import { setImmediate as turn } from 'node:timers/promises';

import { attach, describe, JoinableQueue, type Queue } from 'node-multiprocessing';

import { holdings, settle } from '../../helpers/leaks.js';
import { checkCode, codeOf, eachPlan, equal, HANG_MS, Partner, play, problem } from '../support/fault-scenes.js';
import type { NumberedItem as Item } from './queue-roles.js';

/** How long what a step holds may take to go. */
const SETTLE_MS = 10_000;

const SIZES = [10, 4000, 10_000, 300_000];
/** More than the pipe of a queue has room for, at most. */
const TOO_LONG = 3_000_000;
const module = new URL('./queue-roles.js', import.meta.url);

function startPartner(target: 'reportItems' | 'putAsTold', queue: Queue<Item>): Partner {
  return new Partner(module, target, [queue]);
}

const scenes: Record<string, () => Promise<void>> = {
  async put() {
    for (const size of SIZES) {
      const queue = new JoinableQueue<Item>({ maxsize: 2 });
      const partner = startPartner('reportItems', queue);
      let number = 0;
      await eachPlan(`put of ${size}`, async (plan, what) => {
        plan.arm();
        const code = await codeOf(queue.put([++number, new Uint8Array(size)]));
        // The thread writes the rest with failing calls, too.
        if (code === 'done') equal(await partner.line(), `${number} ${size}`, what);
        checkCode(code, plan.disarm(), what);
        await queue.put([++number, new Uint8Array(1)]);
        equal(await partner.line(), `${number} 1`, `${what}, the item behind it`);
      });
      await queue.join({ timeout: HANG_MS });
      equal(queue.qsize(), 0, `items after puts of ${size}`);
      await queue.put([-1, new Uint8Array(0)]);
      await partner.end();
      queue.close();
    }
    // A new queue has no thread yet, and this item needs one.
    await eachPlan(`put of ${TOO_LONG}`, async (plan, what) => {
      const queue = new JoinableQueue<Item>({ maxsize: 2 });
      plan.arm();
      const code = await codeOf(queue.put([1, new Uint8Array(TOO_LONG)]));
      checkCode(code, plan.disarm(), what);
      if (code === 'done') {
        equal((await queue.get())[1].length, TOO_LONG, what);
        await queue.taskDone();
      }
      await useOnce(queue, what);
      queue.close();
    });
  },

  async wait() {
    await eachPlan('put that waits', async (plan, what) => {
      const queue = new JoinableQueue<Item>({ maxsize: 1 });
      await queue.put([1, new Uint8Array(1)]);
      plan.arm();
      const put = codeOf(queue.put([2, new Uint8Array(1)]));
      await turn();
      await turn();
      const fault = plan.disarm();
      equal((await queue.get())[0], 1, what);
      await queue.taskDone();
      const code = await put;
      checkCode(code, fault, what);
      if (code === 'done') {
        equal((await queue.get())[0], 2, what);
        await queue.taskDone();
      }
      await useOnce(queue, what);
      queue.close();
    });
  },

  async get() {
    for (const size of SIZES) {
      const queue = new JoinableQueue<Item>({ maxsize: 2 });
      const partner = startPartner('putAsTold', queue);
      let number = 0;
      await eachPlan(`get of ${size}`, async (plan, what) => {
        partner.tell(`${++number} ${size}`);
        plan.arm();
        const first = queue.get();
        const code = await codeOf(first);
        checkCode(code, plan.disarm(), what);
        const [found, bytes] = code === 'done' ? await first : await queue.get();
        equal(`${found} ${bytes.length}`, `${number} ${size}`, what);
        await queue.taskDone();
      });
      await queue.join({ timeout: HANG_MS });
      equal(queue.qsize(), 0, `items after gets of ${size}`);
      await partner.end();
      queue.close();
    }
  },

  async leases() {
    const queue = new JoinableQueue<Item>({ leases: true, leaseBytes: 4096 });
    const copy = attach(describe(queue, { nodeOnly: true }) as never) as unknown as JoinableQueue<Item>;
    let number = 0;
    try {
      await eachPlan('put with leases', async (plan, what) => {
        const pending = copy.get();
        // By now it waits to be woken.
        await new Promise(setImmediate);
        plan.arm();
        const code = await codeOf(queue.put([++number, new Uint8Array(1)]));
        checkCode(code, plan.disarm(), what);
        if (code !== 'done') await queue.put([number, new Uint8Array(1)]);
        equal((await pending)[0], number, what);
        await copy.taskDone();
      });
    } finally {
      copy.close();
      queue.close();
    }
  },

  async make() {
    await makeOnce();
    const before = holdings();
    await eachPlan('making a queue', async (plan, what) => {
      plan.arm();
      let queue: JoinableQueue<Item> | undefined;
      const code = await codeOf(Promise.resolve().then(() => (queue = new JoinableQueue<Item>({ maxsize: 3 }))));
      checkCode(code, plan.disarm(), what);
      await useOnce(queue, what);
      queue?.close();
      for (const left of await settle(before, SETTLE_MS)) problem(`${what}: ${left}`);
    });
  },

  async attach() {
    const queue = new JoinableQueue<Item>({ maxsize: 3 });
    await useOnce(queue, 'before');
    const before = holdings();
    await eachPlan('attaching a queue', async (plan, what) => {
      plan.arm();
      let copy: JoinableQueue<Item> | undefined;
      const code = await codeOf(
        Promise.resolve().then(() => (copy = attach(describe(queue) as never) as unknown as JoinableQueue<Item>)),
      );
      checkCode(code, plan.disarm(), what);
      await useOnce(copy, what);
      copy?.close();
      await useOnce(queue, `${what}, the other object`);
      for (const left of await settle(before, SETTLE_MS)) problem(`${what}: ${left}`);
    });
    queue.close();
  },

  async close() {
    await makeOnce();
    const before = holdings();
    await eachPlan('closing a queue', async (plan, what) => {
      const queue = new JoinableQueue<Item>({ maxsize: 3 });
      const pending = codeOf(queue.get());
      plan.arm();
      queue.close();
      plan.disarm();
      equal(await pending, 'ERR_MP_CLOSED', what);
      for (const left of await settle(before, SETTLE_MS)) problem(`${what}: ${left}`);
    });
  },

  async shutdown() {
    await eachPlan('shutting a queue down', async (plan, what) => {
      const queue = new JoinableQueue<Item>({ maxsize: 3 });
      const copy = attach(describe(queue) as never) as unknown as JoinableQueue<Item>;
      const pending = codeOf(copy.get());
      plan.arm();
      queue.shutdown();
      plan.disarm();
      equal(await pending, 'ERR_MP_SHUT_DOWN', what);
      equal(await codeOf(copy.put([1, new Uint8Array(1)])), 'ERR_MP_SHUT_DOWN', `${what}, a put`);
      copy.close();
      queue.close();
    });
  },

  async pass() {
    await startPartner('putAsTold', new JoinableQueue<Item>()).end();
    const before = holdings();
    await eachPlan('passing a queue on', async (plan, what) => {
      const queue = new JoinableQueue<Item>({ maxsize: 3 });
      let partner: Partner | undefined;
      plan.arm();
      const code = await codeOf(Promise.resolve().then(() => (partner = startPartner('putAsTold', queue))));
      checkCode(code, plan.disarm(), what);
      if (partner !== undefined) {
        partner.tell('1 10');
        const ended = await codeOf(partner.end());
        if (ended === 'done') {
          equal((await queue.get())[0], 1, what);
          await queue.taskDone();
        } else {
          equal(ended, 'ERR_MP_CHILD_PROCESS', what);
        }
      }
      await useOnce(queue, what);
      queue.close();
      for (const left of await settle(before, SETTLE_MS)) problem(`${what}: ${left}`);
    });
  },
};

/** Makes what the first queue of a process makes for all of them. */
async function makeOnce(): Promise<void> {
  const queue = new JoinableQueue<Item>({ maxsize: 3 });
  const pending = codeOf(queue.get());
  queue.close();
  await pending;
}

/** An item goes through the queue. */
async function useOnce(queue: JoinableQueue<Item> | undefined, what: string): Promise<void> {
  if (queue === undefined) return;
  await queue.put([7, new Uint8Array(5)]);
  equal((await queue.get())[0], 7, `${what}, its use`);
  await queue.taskDone();
  await queue.join({ timeout: HANG_MS });
  equal(queue.qsize(), 0, `${what}, its items`);
}

await play(scenes);
