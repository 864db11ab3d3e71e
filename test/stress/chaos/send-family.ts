// SPDX-License-Identifier: MIT
//
// A rival: what programs make by hand with process.send. This process is the hub: it takes the items of producers, and
// gives each to a consumer that has none.
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

import { packageRoot } from '../../helpers/environment.js';
import type { Family, Kind, Member, Role } from './family.js';
import type { Place } from './ledger.js';

const program = join(packageRoot, 'out', 'test', 'stress', 'chaos', 'send-member.js');

/** How many items the hub holds if the queue has no limit of its own. */
const MOST_HELD = 1000;

export class SendFamily implements Family {
  readonly lost = undefined;
  readonly #most: number;
  readonly #items: unknown[] = [];
  readonly #idle: ChildProcess[] = [];
  readonly #waiting: ChildProcess[] = [];

  constructor(maxsize: number) {
    this.#most = maxsize > 0 ? maxsize : MOST_HELD;
  }

  start(role: Role, _kind: Kind, place: Place): Promise<Member> {
    const child = fork(program, [role, JSON.stringify(place)], { serialization: 'advanced' });
    // A channel to a process that was killed fails now or later.
    child.on('error', () => undefined);
    child.on('message', (item: unknown) => {
      if (role === 'produce') {
        this.#items.push(item);
        this.#waiting.push(child);
      } else {
        this.#idle.push(child);
      }
      this.#work();
    });
    const ended = new Promise<boolean>((resolve) => {
      child.on('exit', (code) => {
        for (const list of [this.#idle, this.#waiting]) {
          if (list.includes(child)) list.splice(list.indexOf(child), 1);
        }
        resolve(code === 0);
      });
    });
    return Promise.resolve({ pid: child.pid!, ended });
  }

  endConsumers(count: number): Promise<void> {
    for (let i = 0; i < count; i++) this.#items.push({ end: true });
    this.#work();
    return Promise.resolve();
  }

  audit(): Promise<string[]> {
    return Promise.resolve(this.#items.length > 0 ? [`the hub holds ${this.#items.length} items`] : []);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #work(): void {
    while (this.#items.length > 0 && this.#idle.length > 0) {
      this.#idle.shift()!.send(this.#items.shift() as object, () => undefined);
    }
    while (this.#waiting.length > 0 && this.#items.length < this.#most) {
      this.#waiting.shift()!.send({ accepted: true }, () => undefined);
    }
  }
}
