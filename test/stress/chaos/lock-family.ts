// SPDX-License-Identifier: MIT
//
// Members of a lock, a condition or an event.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Condition, Event, Lock, Process, RLock } from 'node-multiprocessing';

import { packageRoot } from '../../helpers/environment.js';
import type { Family, Kind, Member, Role } from './family.js';
import type { Place } from './ledger.js';

const module = join(packageRoot, 'out', 'test', 'stress', 'chaos', 'lock-members.js');

/** How long the lock may stay taken when all members have ended, in milliseconds. */
const FREE_MS = 10_000;

const makers = {
  Lock: () => new Lock(),
  RLock: () => new RLock(),
  Condition: () => new Condition(),
  Event: () => new Event(),
} as const;

export type LockKind = keyof typeof makers;

const targets: Readonly<Record<LockKind, Readonly<Record<Role, string>>>> = {
  Lock: { produce: 'enter', consume: 'enter' },
  RLock: { produce: 'enter', consume: 'enter' },
  Condition: { produce: 'notify', consume: 'awaitNotification' },
  Event: { produce: 'setAndClear', consume: 'awaitEvent' },
};

export class LockFamily implements Family {
  readonly lost = undefined;
  readonly #kind: LockKind;
  readonly #object: Lock | RLock | Condition | Event;

  constructor(kind: LockKind) {
    this.#kind = kind;
    this.#object = makers[kind]();
  }

  start(role: Role, _kind: Kind, place: Place): Promise<Member> {
    // The first member comes before all others.
    if (place.member === 1) writeFileSync(join(place.folder, 'inside'), Buffer.alloc(4));
    const child = new Process({ module, target: targets[this.#kind][role], args: [this.#object, place] });
    child.start();
    const ended = child.join().then(
      () => child.exitcode === 0,
      () => false,
    );
    return Promise.resolve({ pid: child.pid!, ended });
  }

  endConsumers(): Promise<void> {
    return Promise.resolve();
  }

  async audit(): Promise<string[]> {
    const object = this.#object;
    if (object instanceof Event) return [];
    if (!(await object.acquire({ timeout: FREE_MS }))) return [`the ${this.#kind} is not free`];
    object.release();
    return [];
  }

  close(): Promise<void> {
    this.#object.close();
    return Promise.resolve();
  }
}
