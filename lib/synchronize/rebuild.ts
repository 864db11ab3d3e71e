// SPDX-License-Identifier: MIT
//
// Locks, conditions and events that were passed on: how each is rebuilt over the same semaphores.
import { argumentError } from '../core/errors.js';
import { checkInteger, checkObject, checkSemaphoreName } from '../core/validate.js';
import { registerRebuild, type RebuildPart } from '../reduction/registry.js';
import type { SemaphoreAddress } from '../reduction/exporters.js';
import { Condition } from './condition.js';
import { Event } from './event.js';
import { BoundedSemaphore, Lock, OwnableLock, RLock, Semaphore } from './locks.js';
import { SEM_VALUE_MAX, SemLock } from './sem-lock.js';
import { SemaphoreHandle } from './semaphore-handle.js';
import { WaiterCounts, type ConditionAddress } from './waiter-counts.js';

function checkAddress(value: unknown, name: string): SemaphoreAddress {
  checkObject(value, name);
  const address = value as Partial<Record<keyof SemaphoreAddress, unknown>>;
  checkSemaphoreName(address.name, `${name}.name`);
  if (address.family === undefined) return { name: address.name };
  if (typeof address.family !== 'string') throw argumentError('type', `${name}.family must be a string`);
  if (!/^[a-z0-9]{1,16}$/.test(address.family))
    throw argumentError('range', `${name}.family is not the name of a family`);
  checkInteger(address.number, `${name}.number`, 1, 0xffffffff);
  return { name: address.name, family: address.family, number: address.number };
}

function checkConditionAddress(value: unknown, name: string): ConditionAddress {
  checkObject(value, name);
  const { sleeping, woken, wait } = value as Record<string, unknown>;
  return {
    sleeping: checkAddress(sleeping, `${name}.sleeping`),
    woken: checkAddress(woken, `${name}.woken`),
    wait: checkAddress(wait, `${name}.wait`),
  };
}

/** Where the semaphore is of a lock or a semaphore that was passed on. */
export function semaphoreAddress(reduced: unknown, name: string): SemaphoreAddress {
  checkObject(reduced, name);
  const { semaphore } = reduced as Record<string, unknown>;
  return checkAddress(semaphore, `${name}.semaphore`);
}

function attachSemaphore(reduced: unknown, name: string, typeName: string): SemaphoreHandle {
  return SemaphoreHandle.attach(typeName, semaphoreAddress(reduced, name));
}

/** The highest value in the reduced form of a BoundedSemaphore. */
export function boundOf(reduced: unknown, name: string): number {
  const { bound } = reduced as Record<string, unknown>;
  checkInteger(bound, `${name}.bound`, 0, SEM_VALUE_MAX);
  return bound;
}

/** Rebuilds a Condition. `rebuildPart` makes its lock. */
export function rebuildCondition(fields: Record<string, unknown>, name: string, rebuildPart: RebuildPart): Condition {
  checkObject(fields['lock'], `${name}.lock`);
  const address = checkConditionAddress(fields['condition'], `${name}.condition`);
  const lock = rebuildPart(fields['lock'], `${name}.lock`);
  if (!(lock instanceof OwnableLock)) {
    if (lock instanceof SemLock) lock.close();
    throw argumentError('type', `${name}.lock must be of a Lock or an RLock`);
  }
  try {
    return new Condition(lock, WaiterCounts.attach(address));
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** An Event over semaphores that exist. `lock` is that of its condition, whose other semaphores are at `condition`. */
export function attachEvent(lock: SemaphoreAddress, condition: ConditionAddress, flag: SemaphoreAddress): Event {
  const opened: { close(): void }[] = [];
  const opening = <T extends { close(): void }>(object: T): T => {
    opened.push(object);
    return object;
  };
  try {
    const own = opening(new Lock(SemaphoreHandle.attach('Lock', lock)));
    const rebuilt = opening(new Condition(own, WaiterCounts.attach(condition)));
    return new Event({ condition: rebuilt, flag: SemaphoreHandle.attach('Event', flag) });
  } catch (error) {
    for (const object of opened) object.close();
    throw error;
  }
}

function rebuildEvent(fields: Record<string, unknown>, name: string): Event {
  checkObject(fields['event'], `${name}.event`);
  const { lock, condition, flag } = fields['event'] as Record<string, unknown>;
  return attachEvent(
    checkAddress(lock, `${name}.event.lock`),
    checkConditionAddress(condition, `${name}.event.condition`),
    checkAddress(flag, `${name}.event.flag`),
  );
}

registerRebuild(['Lock'], (fields, name) => new Lock(attachSemaphore(fields, name, 'Lock')));
registerRebuild(['RLock'], (fields, name) => new RLock(attachSemaphore(fields, name, 'RLock')));
registerRebuild(['Semaphore'], (fields, name) => new Semaphore(attachSemaphore(fields, name, 'Semaphore')));
registerRebuild(['BoundedSemaphore'], (fields, name) => {
  const address = semaphoreAddress(fields, name);
  const bound = boundOf(fields, name);
  return new BoundedSemaphore(bound, SemaphoreHandle.attach('BoundedSemaphore', address));
});
registerRebuild(['Condition'], (fields, name, _importer, rebuildPart) => rebuildCondition(fields, name, rebuildPart));
registerRebuild(['Event'], rebuildEvent);
