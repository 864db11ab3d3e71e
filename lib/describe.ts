// SPDX-License-Identifier: MIT
//
// Plain values that stand for objects, to be handed to another process or thread by whatever means there are.
import { Condition, type ConditionAddress } from './condition.js';
import { attachConnection, describeConnection, type ConnectionDescriptor } from './connection-sharing.js';
import { Connection } from './connection.js';
import { argumentError } from './errors.js';
import { Event, type EventAddress } from './event.js';
import type { SemaphoreAddress } from './semaphore-handle.js';
import { Existing, SEM_VALUE_MAX, SemLock } from './sem-lock.js';
import { described, Description, type Giving, type Taking } from './sharing.js';
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
export type Descriptor = SemLockDescriptor | ConditionDescriptor | EventDescriptor | ConnectionDescriptor;

/** What `describe` accepts. */
export type Describable = Lock | RLock | Semaphore | BoundedSemaphore | Condition | Event | Connection<never, unknown>;

/** Options of `describe`. */
export interface DescribeOptions {
  /**
   * Promises that only Node processes and threads with this package will use the object. They record who holds a lock, so
   * the death of a holder can be mended without asking. Default false.
   */
  nodeOnly?: boolean | undefined;
}

function describeLock(lock: SemLock, giving: Giving): SemLockDescriptor {
  const semaphore = giving.semaphore(lock.handle);
  if (lock instanceof Lock) return { type: 'Lock', semaphore };
  if (lock instanceof RLock) return { type: 'RLock', semaphore };
  if (lock instanceof BoundedSemaphore) return { type: 'BoundedSemaphore', semaphore, bound: lock.bound };
  return { type: 'Semaphore', semaphore };
}

/**
 * Takes an object apart.
 *
 * @param describePart Describes an object that this one uses and that users may have too. Default: it becomes a part.
 */
export function describeObject(
  object: unknown,
  giving: Giving,
  describePart: (part: SemLock) => Descriptor = (part) => describeLock(part, giving),
): Descriptor {
  if (object instanceof SemLock) return describeLock(object, giving);
  if (object instanceof Condition) {
    const lock = describePart(object.lock) as SemLockDescriptor;
    return { type: 'Condition', lock, condition: object.addressFor(giving) };
  }
  if (object instanceof Event) return { type: 'Event', event: object.addressFor(giving) };
  if (object instanceof Connection) return describeConnection(object as Connection<never, unknown>, giving);
  throw argumentError('type', 'object must be a Connection, a lock, a semaphore, a Condition or an Event');
}

/**
 * A plain JSON value from which `attach` makes an object for the same thing in a worker thread of this process or in another
 * process: a lock, semaphore, condition or event anywhere, a Connection where its descriptor was inherited (for example
 * as an entry of `stdio`). The creator must keep its object open until then. CPython: what pickling such an object for a
 * child process does.
 *
 * What a Connection has read ahead goes into the description. Throws `ClosedError`, or `BusyError` while a large message is
 * being received.
 */
export function describe(object: Describable, options: DescribeOptions = {}): Descriptor {
  checkObject(options, 'options');
  if (options.nodeOnly !== undefined) checkBoolean(options.nodeOnly, 'nodeOnly');
  return describeObject(object, new Description(options.nodeOnly === true));
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
 * @throws TypeError or RangeError for what is no descriptor, a system error (ENOENT) if its creator has closed it, (EBADF) if
 *   this process has not inherited what a Connection is over.
 */
export function attach(descriptor: SemLockDescriptor & { type: 'Lock' }): Lock;
export function attach(descriptor: SemLockDescriptor & { type: 'RLock' }): RLock;
export function attach(descriptor: SemLockDescriptor & { type: 'Semaphore' }): Semaphore;
export function attach(descriptor: SemLockDescriptor & { type: 'BoundedSemaphore' }): BoundedSemaphore;
export function attach(descriptor: SemLockDescriptor): Lock | RLock | Semaphore | BoundedSemaphore;
export function attach(descriptor: ConditionDescriptor): Condition;
export function attach(descriptor: EventDescriptor): Event;
export function attach(descriptor: ConnectionDescriptor): Connection;
export function attach(descriptor: Descriptor): Describable;
export function attach(descriptor: Descriptor): Describable {
  return attachObject(descriptor, described);
}

/**
 * Puts an object together.
 *
 * @param attachPart The counterpart of `describePart`.
 */
export function attachObject(
  descriptor: unknown,
  taking: Taking,
  attachPart: (descriptor: unknown, name: string) => unknown = attachPlainLock,
): Describable {
  checkObject(descriptor, 'descriptor');
  const fields = descriptor as Record<string, unknown>;
  switch (fields['type']) {
    case 'Condition':
      return attachCondition(fields, attachPart);
    case 'Event':
      return attachEvent(fields);
    case 'Connection':
      return attachConnection(fields, taking, 'descriptor');
    default:
      return attachLock(fields, 'descriptor');
  }
}

function attachPlainLock(descriptor: unknown, name: string): unknown {
  checkObject(descriptor, name);
  return attachLock(descriptor as Record<string, unknown>, name);
}

function attachCondition(
  fields: Record<string, unknown>,
  attachPart: (descriptor: unknown, name: string) => unknown,
): Condition {
  checkObject(fields['lock'], 'descriptor.lock');
  const condition = checkCondition(fields['condition'], 'descriptor.condition');
  const lock = attachPart(fields['lock'], 'descriptor.lock');
  if (!(lock instanceof OwnableLock)) {
    if (lock instanceof SemLock) lock.close();
    throw argumentError('type', 'descriptor.lock must be of a Lock or an RLock');
  }
  try {
    return new Condition(lock, new Existing(condition));
  } catch (error) {
    lock.close();
    throw error;
  }
}

function attachEvent(fields: Record<string, unknown>): Event {
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
