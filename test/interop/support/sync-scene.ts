// SPDX-License-Identifier: MIT
//
// The objects of a test, and everybody who shares them.
import { expect } from 'chai';
import {
  attach,
  type ConditionAddress,
  type Descriptor,
  type Semaphore,
  type SemaphoreAddress,
} from 'node-multiprocessing';

import { modes, type Mode } from '../../helpers/index.js';
import { HereSide, node, ProcessSide, type Language, type Side } from './sync-side.js';
import type { Kind } from './sync-targets.js';

/** The semaphores that a condition counts with. */
interface Counters {
  readonly sleeping: Semaphore;
  readonly woken: Semaphore;
  readonly wait: Semaphore;
}

export class Scene {
  readonly mode: Mode;
  readonly here: HereSide;
  /** Who makes the objects. */
  maker: Side;
  readonly #language: Language;
  readonly #descriptors = new Map<string, Descriptor>();
  readonly #processes: ProcessSide[] = [];
  readonly #counters = new Map<string, Counters>();

  constructor(language: Language, mode: Mode) {
    this.mode = mode;
    this.#language = language;
    // A process that has not been told yet could not do what this one blocks for.
    this.here = new HereSide(mode, () => Promise.all(this.#processes.map(({ sent }) => sent)));
    this.maker = this.here;
  }

  /** A process that has all objects. */
  async start(language = this.#language, mode = this.mode): Promise<ProcessSide> {
    const started = new ProcessSide(language.program(), mode);
    this.#processes.push(started);
    for (const [name, descriptor] of this.#descriptors) await started.open(name, descriptor);
    return started;
  }

  /** Has objects made, each of a kind and its arguments, and everybody else open them. */
  async make(objects: Readonly<Record<string, readonly [Kind, ...unknown[]]>>): Promise<void> {
    for (const [name, args] of Object.entries(objects)) {
      await this.#share(name, await this.maker.make(name, ...args), this.maker);
    }
  }

  /** Has everybody open the semaphore that counts who waits, of a condition or an event, under a name of its own. */
  async openSleepers(of: string, name: string): Promise<void> {
    await this.#share(name, { type: 'Semaphore', semaphore: this.#conditionOf(of).sleeping });
  }

  /**
   * Those who wait, half of them in `other` and half in this process. Who would block where something else must happen has
   * a process to himself.
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

  /** How many wait, or have done so and not been counted since. */
  sleepers(name: string): number {
    const { sleeping, woken } = this.counters(name);
    return sleeping.value - woken.value;
  }

  /** CPython's check_invariant: nobody sleeps, and no notification is left. */
  checkInvariant(name: string): void {
    expect([this.sleepers(name), this.counters(name).wait.value]).to.deep.equal([0, 0]);
  }

  /** Checks that, and that it stays so when everybody notifies nobody, at which CPython asserts that the counters fit. */
  async settled(name: string, notify: 'notify' | 'set' = 'notify'): Promise<void> {
    this.checkInvariant(name);
    const { sleeping, woken, wait } = this.counters(name);
    for (const side of [...this.#processes, this.here]) {
      await side.run(notify, name);
      expect([sleeping.value, woken.value, wait.value]).to.deep.equal([0, 0, 0]);
    }
  }

  /** Ends all processes, none of which may fail. */
  async end(): Promise<void> {
    for (const { peer } of this.#processes) await peer.release();
    for (const { peer } of this.#processes) await peer.succeeded();
  }

  /** Closes what this process has open. */
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

/** A test of this process alone, async and sync. */
export function withinNode(title: string, body: (scene: Scene, here: Side) => Promise<void>): void {
  for (const mode of modes) {
    it(`within Node, ${mode}: ${title}`, async () => {
      const scene = new Scene(node, mode);
      await play(scene, () => body(scene, scene.here));
    });
  }
}

/** Who takes part in a test with another process. */
export interface Cast {
  readonly scene: Scene;
  /** The other process. */
  readonly peer: ProcessSide;
  /** The one of the two that makes the objects, and for instance notifies. */
  readonly lead: Side;
  /** The one that does not. */
  readonly other: Side;
}

/** A test with a process of each language, led by it or by this process, async and sync. */
export function withPeers(title: string, languages: readonly Language[], body: (cast: Cast) => Promise<void>): void {
  for (const language of languages) {
    for (const mode of modes) {
      for (const leads of ['this process', 'the peer']) {
        it(`${language.label}, ${mode}, led by ${leads}: ${title}`, async () => {
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

/** Runs the event loop until a value is what the test has seen to that it becomes. */
export async function reached(value: () => number, expected: number): Promise<void> {
  const end = performance.now() + WATCHDOG_MS;
  while (value() !== expected) {
    if (performance.now() > end) throw new Error(`${value()} instead of ${expected} after ${WATCHDOG_MS} ms`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
