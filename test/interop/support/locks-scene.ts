// SPDX-License-Identifier: MIT
//
// The objects of a test, and the processes that share them.
import { expect } from 'chai';
import {
  attach,
  type ConditionAddress,
  type Descriptor,
  type Semaphore,
  type SemaphoreAddress,
} from 'node-multiprocessing';

import { modes, type Mode } from '../../helpers/index.js';
import { HereSide, node, ProcessSide, type Language, type Side } from './locks-side.js';
import type { Kind } from './locks-commands.js';

/** The semaphores by which a condition counts its waiters. */
interface Counters {
  readonly sleeping: Semaphore;
  readonly woken: Semaphore;
  readonly wait: Semaphore;
}

export class Scene {
  readonly mode: Mode;
  readonly here: HereSide;
  /** The side that makes the objects. */
  maker: Side;
  readonly #language: Language;
  readonly #descriptors = new Map<string, Descriptor>();
  readonly #processes: ProcessSide[] = [];
  readonly #counters = new Map<string, Counters>();

  constructor(language: Language, mode: Mode) {
    this.mode = mode;
    this.#language = language;
    // A process that has not received its command yet could not do what this process blocks for.
    this.here = new HereSide(mode, () => Promise.all(this.#processes.map(({ sent }) => sent)));
    this.maker = this.here;
  }

  /** Starts a process that has all objects. */
  async start(language = this.#language, mode = this.mode): Promise<ProcessSide> {
    const started = new ProcessSide(language.program(), mode);
    this.#processes.push(started);
    for (const [name, descriptor] of this.#descriptors) await started.open(name, descriptor);
    return started;
  }

  /** Makes objects, each of a kind with its arguments. Every other side opens them. */
  async make(objects: Readonly<Record<string, readonly [Kind, ...unknown[]]>>): Promise<void> {
    for (const [name, args] of Object.entries(objects)) {
      await this.#share(name, await this.maker.make(name, ...args), this.maker);
    }
  }

  /** Makes every side open, under the given name, the semaphore that counts the waiters of a condition or an event. */
  async openSleepers(of: string, name: string): Promise<void> {
    await this.#share(name, { type: 'Semaphore', semaphore: this.#conditionOf(of).sleeping });
  }

  /**
   * Waiters, half of them in `other` and half in this process. A waiter that would block a side which has more to do
   * gets a process of its own.
   */
  async waiters(count: number, other: ProcessSide): Promise<Side[]> {
    const started: Side[] = [];
    for (const [side, language] of [
      [other, this.#language],
      [this.here, node],
    ] as const) {
      for (let i = 0; i < count / 2; i++) started.push(side.blocks ? await this.start(language) : side);
    }
    return started;
  }

  counters(name: string): Counters {
    let found = this.#counters.get(name);
    if (found === undefined) {
      const open = (semaphore: SemaphoreAddress): Semaphore => attach({ type: 'Semaphore', semaphore });
      const { sleeping, woken, wait } = this.#conditionOf(name);
      found = { sleeping: open(sleeping), woken: open(woken), wait: open(wait) };
      this.#counters.set(name, found);
    }
    return found;
  }

  /** The number of waiters that sleep, or have slept and were not counted since. */
  sleepers(name: string): number {
    const { sleeping, woken } = this.counters(name);
    return sleeping.value - woken.value;
  }

  /** CPython's check_invariant: no waiter sleeps, and no notification is left. */
  checkInvariant(name: string): void {
    expect([this.sleepers(name), this.counters(name).wait.value]).to.deep.equal([0, 0]);
  }

  /**
   * Checks the invariant, and that it holds while every side notifies without a waiter. CPython then asserts that the
   * counters fit.
   */
  async settled(name: string, notify: 'notify' | 'set' = 'notify'): Promise<void> {
    this.checkInvariant(name);
    const { sleeping, woken, wait } = this.counters(name);
    for (const side of [...this.#processes, this.here]) {
      await side.run(notify, name);
      expect([sleeping.value, woken.value, wait.value]).to.deep.equal([0, 0, 0]);
    }
  }

  /** Ends all processes and asserts that each ended well. */
  async end(): Promise<void> {
    for (const { peer } of this.#processes) await peer.release();
    for (const { peer } of this.#processes) await peer.succeeded();
  }

  /** Closes what this process has opened. */
  close(): void {
    this.here.workshop.close();
    for (const counters of this.#counters.values()) {
      for (const semaphore of Object.values(counters) as Semaphore[]) semaphore.close();
    }
  }

  async #share(name: string, descriptor: Descriptor, maker?: Side): Promise<void> {
    this.#descriptors.set(name, descriptor);
    for (const side of [this.here, ...this.#processes]) {
      if (side !== maker) await side.open(name, descriptor);
    }
  }

  #conditionOf(name: string): ConditionAddress {
    const descriptor = this.#descriptors.get(name);
    if (descriptor?.type === 'Condition') return descriptor.condition;
    if (descriptor?.type === 'Event') return descriptor.event.condition;
    throw new Error(`${name} has no condition`);
  }
}

async function play(scene: Scene, body: () => Promise<void>): Promise<void> {
  try {
    await body();
    await scene.end();
  } finally {
    scene.close();
  }
}

/** Defines a test of this process alone, async and sync. */
export function withinNode(title: string, body: (scene: Scene, here: Side) => Promise<void>): void {
  for (const mode of modes) {
    it(`${title} (within Node, ${mode})`, async () => {
      const scene = new Scene(node, mode);
      await play(scene, () => body(scene, scene.here));
    });
  }
}

/** The sides of a test with another process. */
export interface Cast {
  readonly scene: Scene;
  /** The other process. */
  readonly peer: ProcessSide;
  /** The side that makes the objects, and for instance notifies. */
  readonly lead: Side;
  /** The side that does not. */
  readonly other: Side;
}

/** Defines a test with a process of each language, led by that process or by this one, async and sync. */
export function withPeers(title: string, languages: readonly Language[], body: (cast: Cast) => Promise<void>): void {
  for (const language of languages) {
    for (const mode of modes) {
      for (const leads of ['this process', 'the peer']) {
        it(`${title} (${language.label}, ${mode}, led by ${leads})`, async () => {
          const scene = new Scene(language, mode);
          await play(scene, async () => {
            const peer = await scene.start();
            const [lead, other] = leads === 'the peer' ? [peer, scene.here] : [scene.here, peer];
            scene.maker = lead;
            await body({ scene, peer, lead, other });
          });
        });
      }
    }
  }
}

const WATCHDOG_MS = 50_000;

/** Runs the event loop until a value is what the test has made it become. */
export async function reached(value: () => number, expected: number): Promise<void> {
  const end = performance.now() + WATCHDOG_MS;
  while (value() !== expected) {
    if (performance.now() > end) throw new Error(`${value()} instead of ${expected} after ${WATCHDOG_MS} ms`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
