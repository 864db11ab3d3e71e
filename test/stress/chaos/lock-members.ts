// SPDX-License-Identifier: MIT
//
// What Node members do with a lock, a condition, an event or a semaphore.
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Condition, Event, Lock, RLock, Semaphore } from 'node-multiprocessing';

import { ACQUIRED, Ledger, RELEASED, TORN, type Place } from './ledger.js';

/** How long a wait lasts whose notification a killed member may have taken along, in milliseconds. */
const WAIT_MS = 20;

/** How long a consumer of a semaphore waits before it looks whether it is to end, in milliseconds. */
const TAKE_MS = 1000;

/** A semaphore with this value is not released: its consumers are to wait now and then. */
export const ENOUGH = 8;

/** The pid of the process that is inside of the lock, in a file. */
class Inside {
  readonly #fd: number;
  readonly #pid = Buffer.alloc(4);

  constructor(place: Place) {
    this.#fd = openSync(join(place.folder, 'inside'), 'r+');
  }

  get pid(): number {
    readSync(this.#fd, this.#pid, 0, 4, 0);
    return this.#pid.readUInt32LE();
  }

  set pid(pid: number) {
    this.#pid.writeUInt32LE(pid);
    writeSync(this.#fd, this.#pid, 0, 4, 0);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !'ZX'.includes(stat[stat.lastIndexOf(')') + 2]!);
  } catch {
    return false;
  }
}

/** Runs a step until it is told to stop. */
async function repeat(place: Place, step: (inside: Inside, ledger: Ledger) => Promise<void>): Promise<void> {
  const ledger = new Ledger(place);
  const inside = new Inside(place);
  try {
    while (!ledger.step()) await step(inside, ledger);
  } catch (error) {
    ledger.error(error);
  }
  inside.close();
  ledger.close();
}

/** Enters and leaves a lock. A living process that is inside at the same time is written down as TORN. */
export async function enter(lock: Lock | RLock, place: Place): Promise<void> {
  await repeat(place, async (inside, ledger) => {
    await lock.acquire();
    const { pid } = inside;
    if (pid !== 0 && pid !== process.pid && isAlive(pid)) ledger.write(TORN, pid, 0);
    inside.pid = process.pid;
    if (inside.pid !== process.pid) ledger.write(TORN, inside.pid, 1);
    inside.pid = 0;
    lock.release();
  });
}

export async function notify(condition: Condition, place: Place): Promise<void> {
  await repeat(place, async () => {
    await condition.acquire();
    await condition.notify();
    condition.release();
  });
}

export async function awaitNotification(condition: Condition, place: Place): Promise<void> {
  await repeat(place, async () => {
    await condition.acquire();
    await condition.wait({ timeout: WAIT_MS });
    condition.release();
  });
}

export async function setAndClear(event: Event, place: Place): Promise<void> {
  await repeat(place, async () => {
    await event.set();
    await event.clear();
  });
}

export async function awaitEvent(event: Event, place: Place): Promise<void> {
  await repeat(place, async () => {
    await event.wait({ timeout: WAIT_MS });
  });
}

export async function release(semaphore: Semaphore, place: Place): Promise<void> {
  await repeat(place, async (_inside, ledger) => {
    if (semaphore.value >= ENOUGH) {
      await sleep(1);
    } else {
      semaphore.release();
      ledger.write(RELEASED, place.member, 0);
    }
  });
}

export async function take(semaphore: Semaphore, place: Place): Promise<void> {
  await repeat(place, async (_inside, ledger) => {
    if (await semaphore.acquire({ timeout: TAKE_MS })) ledger.write(ACQUIRED, place.member, 0);
  });
}
