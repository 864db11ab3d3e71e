// SPDX-License-Identifier: MIT
//
// What locks, semaphores and what is made of them are for somebody else: where their semaphores are.
import { Condition, type ConditionAddress } from './condition.js';
import { argumentError } from '../core/errors.js';
import { Event, type EventAddress } from './event.js';
import type { SemaphoreAddress } from './semaphore-handle.js';
import { Existing, SEM_VALUE_MAX, SemLock } from './sem-lock.js';
import type { Giving } from '../reduction/transfer.js';
import { BoundedSemaphore, Lock, OwnableLock, RLock, Semaphore } from './locks.js';
import { checkInteger, checkObject, checkSemaphoreName } from '../core/validate.js';

/** What `describe` makes of a lock or a semaphore. It is plain JSON. */
export interface SemLockDescriptor {
  /** The class. */
  readonly type: 'Lock' | 'RLock' | 'Semaphore' | 'BoundedSemaphore';
  /** Where it is. CPython: `_semlock.name`. */
  readonly semaphore: SemaphoreAddress;
  /** The highest value of a BoundedSemaphore. */
  readonly bound?: number;
}

/** What `describe` makes of a Condition. */
export interface ConditionDescriptor {
  /** The class. */
  readonly type: 'Condition';
  /** Its lock. CPython: `_lock`. */
  readonly lock: SemLockDescriptor;
  /** Its counters. */
  readonly condition: ConditionAddress;
}

/** What `describe` makes of an Event. */
export interface EventDescriptor {
  /** The class. */
  readonly type: 'Event';
  /** Its parts. */
  readonly event: EventAddress;
}

/** Takes a lock or a semaphore apart. */
export function describeLock(lock: SemLock, giving: Giving): SemLockDescriptor {
  const semaphore = giving.semaphore(lock.handle);
  if (lock instanceof Lock) return { type: 'Lock', semaphore };
  if (lock instanceof RLock) return { type: 'RLock', semaphore };
  if (lock instanceof BoundedSemaphore) return { type: 'BoundedSemaphore', semaphore, bound: lock.bound };
  return { type: 'Semaphore', semaphore };
}

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

function checkCondition(value: unknown, name: string): ConditionAddress {
  checkObject(value, name);
  const { sleeping, woken, wait } = value as Record<string, unknown>;
  return {
    sleeping: checkAddress(sleeping, `${name}.sleeping`),
    woken: checkAddress(woken, `${name}.woken`),
    wait: checkAddress(wait, `${name}.wait`),
  };
}

/** Puts a lock or a semaphore together. */
export function attachLock(
  descriptor: Record<string, unknown>,
  name: string,
): Lock | RLock | Semaphore | BoundedSemaphore {
  const existing = new Existing(checkAddress(descriptor['semaphore'], `${name}.semaphore`));
  switch (descriptor['type']) {
    case 'Lock':
      return new Lock(existing);
    case 'RLock':
      return new RLock(existing);
    case 'Semaphore':
      return new Semaphore(existing);
    case 'BoundedSemaphore':
      checkInteger(descriptor['bound'], `${name}.bound`, 0, SEM_VALUE_MAX);
      return new BoundedSemaphore(descriptor['bound'], existing);
    default:
      throw argumentError('type', `${name}.type must name a lock or a semaphore`);
  }
}

/** Takes a Condition apart, of whose lock a descriptor is there. */
export function describeCondition(condition: Condition, lock: SemLockDescriptor, giving: Giving): ConditionDescriptor {
  return { type: 'Condition', lock, condition: condition.addressFor(giving) };
}

/** Puts a Condition together; `attachPart` makes its lock. */
export function attachCondition(
  fields: Record<string, unknown>,
  name: string,
  attachPart: (descriptor: unknown, name: string) => unknown = attachPlainLock,
): Condition {
  checkObject(fields['lock'], `${name}.lock`);
  const condition = checkCondition(fields['condition'], `${name}.condition`);
  const lock = attachPart(fields['lock'], `${name}.lock`);
  if (!(lock instanceof OwnableLock)) {
    if (lock instanceof SemLock) lock.close();
    throw argumentError('type', `${name}.lock must be of a Lock or an RLock`);
  }
  try {
    return new Condition(lock, new Existing(condition));
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** Puts an Event together. */
export function attachEvent(fields: Record<string, unknown>): Event {
  checkObject(fields['event'], 'descriptor.event');
  const { lock, condition, flag } = fields['event'] as Record<string, unknown>;
  return new Event(
    new Existing({
      lock: checkAddress(lock, 'descriptor.event.lock'),
      condition: checkCondition(condition, 'descriptor.event.condition'),
      flag: checkAddress(flag, 'descriptor.event.flag'),
    }),
  );
}

function attachPlainLock(descriptor: unknown, name: string): unknown {
  checkObject(descriptor, name);
  return attachLock(descriptor as Record<string, unknown>, name);
}
