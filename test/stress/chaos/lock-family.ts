// SPDX-License-Identifier: MIT
//
// Members of a lock, a condition, an event or a semaphore.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { BoundedSemaphore, Condition, Event, Lock, Process, RLock, Semaphore } from 'node-multiprocessing';

import { packageRoot } from '../../helpers/environment.js';
import { childMember, type Family, type Kind, type Member, type Role } from './family.js';
import { ACQUIRED, entries, RELEASED, type Place } from './ledger.js';
import { ENOUGH } from './lock-members.js';

const module = join(packageRoot, 'out', 'test', 'stress', 'chaos', 'lock-members.js');

/** How long the lock may stay taken when all members have ended, in milliseconds. */
const FREE_MS = 10_000;

/** What a semaphore begins with. Its producers release it only below half of that. */
const FIRST_VALUE = 2 * ENOUGH;

const makers = {
  Lock: () => new Lock(),
  RLock: () => new RLock(),
  Condition: () => new Condition(),
  Event: () => new Event(),
  Semaphore: () => new Semaphore(FIRST_VALUE),
  BoundedSemaphore: () => new BoundedSemaphore(FIRST_VALUE),
} as const;

export type LockKind = keyof typeof makers;

const targets: Readonly<Record<LockKind, Readonly<Record<Role, string>>>> = {
  Lock: { produce: 'enter', consume: 'enter' },
  RLock: { produce: 'enter', consume: 'enter' },
  Condition: { produce: 'notify', consume: 'awaitNotification' },
  Event: { produce: 'setAndClear', consume: 'awaitEvent' },
  Semaphore: { produce: 'release', consume: 'take' },
  BoundedSemaphore: { produce: 'release', consume: 'take' },
};

export class LockFamily implements Family {
  readonly lost = undefined;
  readonly #kind: LockKind;
  readonly #object: Lock | RLock | Condition | Event | Semaphore | BoundedSemaphore;
  readonly #producers = new Set<number>();
  #folder = '';

  constructor(kind: LockKind) {
    this.#kind = kind;
    this.#object = makers[kind]();
  }

  start(role: Role, _kind: Kind, place: Place): Promise<Member> {
    // The first member comes before all others.
    if (place.member === 1) writeFileSync(join(place.folder, 'inside'), Buffer.alloc(4));
    this.#folder = place.folder;
    if (role === 'produce') this.#producers.add(place.member);
    const child = new Process({ module, target: targets[this.#kind][role], args: [this.#object, place] });
    return Promise.resolve(childMember(child));
  }

  endConsumers(): Promise<void> {
    return Promise.resolve();
  }

  async audit(_terminated: number, killed: ReadonlySet<number>): Promise<string[]> {
    const object = this.#object;
    if (object instanceof Event) return [];
    if (object instanceof Semaphore || object instanceof BoundedSemaphore) {
      return this.#auditValue(object.value, killed);
    }
    if (!(await object.acquire({ timeout: FREE_MS }))) return [`the ${this.#kind} is not free`];
    object.release();
    return [];
  }

  /**
   * What a killed member has taken stays taken, and what it has released stays released. It may have been killed before
   * it wrote down its last call.
   */
  #auditValue(value: number, killed: ReadonlySet<number>): string[] {
    let expected = FIRST_VALUE;
    for (const { kind } of entries(this.#folder)) {
      if (kind === RELEASED) expected++;
      if (kind === ACQUIRED) expected--;
    }
    const killedProducers = [...killed].filter((member) => this.#producers.has(member)).length;
    const [least, most] = [expected - (killed.size - killedProducers), expected + killedProducers];
    return value < least || value > most ? [`the ${this.#kind} has ${value}, not ${least} to ${most}`] : [];
  }

  close(): Promise<void> {
    this.#object.close();
    return Promise.resolve();
  }
}
