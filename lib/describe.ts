// SPDX-License-Identifier: MIT
//
// Plain values that stand for objects, to be handed to another process or thread by whatever means there are.
import { Condition, type ConditionAddress } from './condition.js';
import { argumentError } from './errors.js';
import { Event, type EventAddress } from './event.js';
import type { SemaphoreAddress } from './semaphore-handle.js';
import { Existing, SEM_VALUE_MAX, SemLock } from './sem-lock.js';
import { BoundedSemaphore, Lock, OwnableLock, RLock, Semaphore } from './synchronize.js';
import { checkBoolean, checkInteger, checkObject, checkSemaphoreName } from './validate.js';

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

/** What `describe` makes of an object. */
export type Descriptor = SemLockDescriptor | ConditionDescriptor | EventDescriptor;

/** What `describe` accepts. */
export type Describable = Lock | RLock | Semaphore | BoundedSemaphore | Condition | Event;

/** Options of `describe`. */
export interface DescribeOptions {
  /**
   * Promises that only Node processes and threads with this package will use the object. They record who holds a lock, so
   * the death of a holder can be mended without asking. Default false.
   */
  nodeOnly?: boolean | undefined;
}

function describeLock(lock: SemLock, given: boolean): SemLockDescriptor {
  if (given) lock.handle.expose();
  const semaphore = lock.handle.address;
  if (lock instanceof Lock) return { type: 'Lock', semaphore };
  if (lock instanceof RLock) return { type: 'RLock', semaphore };
  if (lock instanceof BoundedSemaphore) return { type: 'BoundedSemaphore', semaphore, bound: lock.bound };
  return { type: 'Semaphore', semaphore };
}

/**
 * A plain JSON value from which `attach` makes an object for the same lock, semaphore, condition or event, in another
 * process or worker thread. The creator must keep its object open until then. CPython: what pickling such an object for a
 * child process does.
 */
export function describe(object: Describable, options: DescribeOptions = {}): Descriptor {
  checkObject(options, 'options');
  if (options.nodeOnly !== undefined) checkBoolean(options.nodeOnly, 'nodeOnly');
  const given = options.nodeOnly !== true;
  if (object instanceof SemLock) {
    return describeLock(object, given);
  }
  if (object instanceof Condition) {
    if (given) object.expose();
    return { type: 'Condition', lock: describeLock(object.lock, given), condition: object.address };
  }
  if (object instanceof Event) {
    if (given) object.expose();
    return { type: 'Event', event: object.address };
  }
  throw argumentError('type', 'object must be a lock, a semaphore, a Condition or an Event');
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

function attachLock(descriptor: Record<string, unknown>, name: string): Lock | RLock | Semaphore | BoundedSemaphore {
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

/**
 * An object for what a descriptor stands for. Descriptors need not come from `describe`: for semaphores that another
 * program has made, `{ type: 'Lock', semaphore: { name } }` is enough.
 *
 * @throws TypeError or RangeError for what is no descriptor, a system error (ENOENT) if its creator has closed it.
 */
export function attach(descriptor: SemLockDescriptor & { type: 'Lock' }): Lock;
export function attach(descriptor: SemLockDescriptor & { type: 'RLock' }): RLock;
export function attach(descriptor: SemLockDescriptor & { type: 'Semaphore' }): Semaphore;
export function attach(descriptor: SemLockDescriptor & { type: 'BoundedSemaphore' }): BoundedSemaphore;
export function attach(descriptor: SemLockDescriptor): Lock | RLock | Semaphore | BoundedSemaphore;
export function attach(descriptor: ConditionDescriptor): Condition;
export function attach(descriptor: EventDescriptor): Event;
export function attach(descriptor: Descriptor): Describable;
export function attach(descriptor: Descriptor): Describable {
  checkObject(descriptor, 'descriptor');
  const fields = descriptor as unknown as Record<string, unknown>;
  if (fields['type'] === 'Condition') {
    checkObject(fields['lock'], 'descriptor.lock');
    const condition = checkCondition(fields['condition'], 'descriptor.condition');
    const lock = attachLock(fields['lock'] as Record<string, unknown>, 'descriptor.lock');
    if (!(lock instanceof OwnableLock)) {
      lock.close();
      throw argumentError('type', 'descriptor.lock must be of a Lock or an RLock');
    }
    try {
      return new Condition(lock, new Existing(condition));
    } catch (error) {
      lock.close();
      throw error;
    }
  }
  if (fields['type'] === 'Event') {
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
  return attachLock(fields, 'descriptor');
}
