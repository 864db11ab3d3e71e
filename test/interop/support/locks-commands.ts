// SPDX-License-Identifier: MIT
//
// The commands of locks_peer.py for Node: with the async or the blocking methods, in the test's own process or in
// test/peers/locks-peer.ts. Each command takes objects by their names.
import { inspect } from 'node:util';

import {
  attach,
  BoundedSemaphore,
  Condition,
  describe,
  Event,
  Lock,
  RLock,
  Semaphore,
  type Describable,
  type Descriptor,
  type SemLock,
} from 'node-multiprocessing';

import type { Mode } from '../../helpers/channels.js';

const classes = { BoundedSemaphore, Condition, Event, Lock, RLock, Semaphore };
export type Kind = keyof typeof classes;

/** The object itself; with `sync` a proxy whose async methods call the blocking methods of the same meaning. */
export function calls<T extends object>(mode: Mode, object: T): T {
  return new Proxy(object, {
    get(target, key) {
      const blocking = mode === 'sync' ? (Reflect.get(target, `${String(key)}Sync`, target) as unknown) : undefined;
      const member = blocking ?? Reflect.get(target, key, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

/** Runs `fn` while a lock is held: by a token of its own, or by the thread. */
async function holding<T>(mode: Mode, lock: SemLock | Condition, fn: () => T | Promise<T>): Promise<T> {
  if (mode === 'async') return lock.withLock(fn);
  lock.acquireSync();
  try {
    return await fn();
  } finally {
    lock.release();
  }
}

type Target = (...args: never[]) => unknown;

function makeTargets(mode: Mode): Record<string, Target> {
  const increase = (cond: Condition, state: Semaphore): Promise<void> =>
    holding(mode, cond, () => {
      state.release();
      return calls(mode, cond).notify();
    });
  return {
    acquire: (lock: SemLock, ...args: [(boolean | null)?, (number | null)?]) => {
      const [block, timeout] = args;
      if (args.length === 0) return calls(mode, lock).acquire();
      if (args.length === 1) return calls(mode, lock).acquire({ block: block ?? undefined });
      return calls(mode, lock).acquire({ ...(block === null ? {} : { block }), timeout });
    },
    release: (lock: SemLock) => lock.release(),
    value: (lock: SemLock) => lock.value,
    is_set: (event: Event) => calls(mode, event).isSet(),
    set: (event: Event) => calls(mode, event).set(),
    clear: (event: Event) => calls(mode, event).clear(),
    shown: (event: Event) => /^Event \{ (set|unset) \}$/.exec(inspect(event))?.[1],
    context: (lock: SemLock, inside: Semaphore, leave: Semaphore) =>
      holding(mode, lock, async () => {
        inside.release();
        await calls(mode, leave).acquire();
      }),
    f: (cond: Condition, sleeping: Semaphore, woken: Semaphore, timeout?: number) =>
      holding(mode, cond, async () => {
        sleeping.release();
        const result = await calls(mode, cond).wait(timeout);
        woken.release();
        return result;
      }),
    notify: (cond: Condition, n?: number) => holding(mode, cond, () => calls(mode, cond).notify(n)),
    notify_all: (cond: Condition) => holding(mode, cond, () => calls(mode, cond).notifyAll()),
    wait: (cond: Condition, timeout?: number) => holding(mode, cond, () => calls(mode, cond).wait(timeout)),
    wait_for: (cond: Condition, state: Semaphore, value: number, timeout?: number) =>
      holding(mode, cond, () => calls(mode, cond).waitFor(() => state.value === value, timeout)),
    increase: async (cond: Condition, state: Semaphore, times: number) => {
      for (let i = 0; i < times; i++) await increase(cond, state);
    },
    waitfor: async (cond: Condition, state: Semaphore) => {
      const result = await holding(mode, cond, () => calls(mode, cond).waitFor(() => state.value === 1));
      for (let i = 0; i < 4; i++) await increase(cond, state);
      return result;
    },
    waitfor_f: (cond: Condition, state: Semaphore) =>
      holding(mode, cond, async () => {
        state.release();
        await calls(mode, cond).notify();
        return calls(mode, cond).waitFor(() => state.value === 5);
      }),
    wait_event: (event: Event, timeout?: number) => calls(mode, event).wait(timeout),
    set_when_waited_for: async (event: Event, sleepers: Semaphore) => {
      while (sleepers.value === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      await calls(mode, event).set();
    },
    // Waits twice, once until a notification and once until a signal. Then holds the lock until `leave`.
    wait_result: (cond: Condition, entered: Semaphore, held: Semaphore, leave: Semaphore) => {
      process.on('SIGINT', () => undefined);
      return holding(mode, cond, async () => {
        const results: unknown[] = [cond.waitSync(0), cond.waitSync(100)];
        entered.release();
        results.push(cond.waitSync(60_000));
        try {
          results.push(cond.waitSync(60_000));
        } catch (error) {
          results.push((error as { code?: unknown }).code);
        }
        held.release();
        // More signals may come, and would end a blocking call.
        await leave.acquire();
        cond.notifySync();
        return results;
      });
    },
  };
}

/** Objects by name, and the commands for them. */
export class Workshop {
  readonly #objects = new Map<string, Describable>();
  readonly #targets: Record<string, Target>;

  constructor(mode: Mode) {
    this.#targets = makeTargets(mode);
  }

  make(name: string, kind: Kind, ...args: unknown[]): Descriptor {
    const Class = classes[kind] as unknown as new (...args: unknown[]) => Describable;
    const object = new Class(...args.map((arg) => this.#resolve(arg)));
    this.#objects.set(name, object);
    return describe(object);
  }

  open(name: string, descriptor: Descriptor): void {
    this.#objects.set(name, attach(descriptor));
  }

  get(name: string): Describable | undefined {
    return this.#objects.get(name);
  }

  async run(target: string, ...args: unknown[]): Promise<unknown> {
    const resolved = args.map((arg) => this.#resolve(arg)) as never[];
    return (await this.#targets[target]!(...resolved)) ?? null;
  }

  close(): void {
    for (const object of this.#objects.values()) object.close();
    this.#objects.clear();
  }

  #resolve(arg: unknown): unknown {
    return typeof arg === 'string' ? this.#objects.get(arg) : arg;
  }
}
