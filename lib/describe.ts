// SPDX-License-Identifier: MIT
//
// Descriptors: plain values that stand for objects of this package, and can be handed to another process or thread by
// any means.
import type { ConnectionDescriptor } from './connection/channel-reduction.js';
import type { Connection } from './connection/connection.js';
import { argumentError } from './core/errors.js';
import { checkBoolean, checkOptionNames, optionNames } from './core/validate.js';
import type { JoinableQueue } from './queues/joinable-queue.js';
import type { LeaseQueueDescriptor } from './queues/lease-resources.js';
import type { QueueDescriptor } from './queues/queue-resources.js';
import type { Queue } from './queues/queue.js';
import type { SimpleQueue } from './queues/simple-queue.js';
import { described, Description } from './reduction/description.js';
import { isReducible, rebuildObject, reduceObject } from './reduction/registry.js';
import type { Barrier, BarrierDescriptor } from './shared-memory/barrier.js';
import type { ShareableList } from './shared-memory/shareable-list.js';
import type { SharedMemory, SharedMemoryDescriptor } from './shared-memory/shared-memory.js';
import type { RawArray, RawValue, SharedArray, SharedValueDescriptor, Value } from './shared-memory/values.js';
import type { Condition, ConditionDescriptor } from './synchronize/condition.js';
import type { Event, EventDescriptor } from './synchronize/event.js';
import type { BoundedSemaphore, Lock, RLock, Semaphore } from './synchronize/locks.js';
import type { SemLockDescriptor } from './synchronize/sem-lock.js';

/** The result of `describe`: plain JSON that stands for an object. */
export type Descriptor =
  | SemLockDescriptor
  | ConditionDescriptor
  | EventDescriptor
  | ConnectionDescriptor
  | QueueDescriptor
  | LeaseQueueDescriptor
  | SharedMemoryDescriptor
  | SharedValueDescriptor
  | BarrierDescriptor;

/** The objects that `describe` accepts. */
export type Describable =
  | Lock
  | RLock
  | Semaphore
  | BoundedSemaphore
  | Condition
  | Event
  | Connection<never, unknown>
  | Queue
  | JoinableQueue
  | SimpleQueue
  | SharedMemory
  | ShareableList
  | RawValue
  | RawArray
  | Barrier;

/** Options of `describe`. */
export interface DescribeOptions {
  /**
   * Promises that only Node processes and threads with this package will use the object. They record which process
   * holds a lock, so a lock is recovered automatically when its holder dies. Default false.
   */
  nodeOnly?: boolean | undefined;
}

const describeNames = optionNames<DescribeOptions>({ nodeOnly: true });

/**
 * Makes a plain JSON value from which `attach` makes an object for the same pipe or semaphores, in a worker thread of
 * this process or in another process. A lock, semaphore, condition or event can be attached anywhere; a Connection or a
 * queue only where its descriptors were inherited (for example as entries of `stdio`). The creator must keep its object
 * open until then. CPython: pickling such an object for a child process.
 *
 * The bytes that a Connection has read ahead move into the descriptor.
 *
 * @throws `ClosedError`, or `BusyError` while a large message is being received.
 */
export function describe(object: Describable, options: DescribeOptions = {}): Descriptor {
  checkOptionNames(options, describeNames);
  if (options.nodeOnly !== undefined) checkBoolean(options.nodeOnly, 'nodeOnly');
  if (!isReducible(object)) {
    throw argumentError(
      'type',
      'object must be a Connection, a queue, a lock, a Condition, an Event, a Barrier or shared memory',
    );
  }
  return reduceObject(object, new Description(options.nodeOnly === true)) as Descriptor;
}

/**
 * Makes an object from a descriptor. Descriptors need not come from `describe`: for a semaphore that another program
 * has made, `{ type: 'Lock', semaphore: { name } }` is enough.
 *
 * @throws TypeError or RangeError for a value that is not a descriptor; a system error with code ENOENT if the creator
 *   has closed its object, or EBADF if this process has not inherited the descriptor of a Connection.
 */
export function attach(descriptor: SemLockDescriptor & { type: 'Lock' }): Lock;
export function attach(descriptor: SemLockDescriptor & { type: 'RLock' }): RLock;
export function attach(descriptor: SemLockDescriptor & { type: 'Semaphore' }): Semaphore;
export function attach(descriptor: SemLockDescriptor & { type: 'BoundedSemaphore' }): BoundedSemaphore;
export function attach(descriptor: SemLockDescriptor): Lock | RLock | Semaphore | BoundedSemaphore;
export function attach(descriptor: ConditionDescriptor): Condition;
export function attach(descriptor: EventDescriptor): Event;
export function attach(descriptor: ConnectionDescriptor): Connection;
export function attach(descriptor: QueueDescriptor & { type: 'Queue' }): Queue;
export function attach(descriptor: (QueueDescriptor & { type: 'JoinableQueue' }) | LeaseQueueDescriptor): JoinableQueue;
export function attach(descriptor: QueueDescriptor & { type: 'SimpleQueue' }): SimpleQueue;
export function attach(descriptor: SharedMemoryDescriptor & { type: 'SharedMemory' }): SharedMemory;
export function attach(descriptor: SharedMemoryDescriptor & { type: 'ShareableList' }): ShareableList;
export function attach(descriptor: SharedValueDescriptor & { type: 'RawValue' }): RawValue;
export function attach(descriptor: SharedValueDescriptor & { type: 'RawArray' }): RawArray;
export function attach(descriptor: SharedValueDescriptor & { type: 'Value' }): Value;
export function attach(descriptor: SharedValueDescriptor & { type: 'Array' }): SharedArray;
export function attach(descriptor: BarrierDescriptor): Barrier;
export function attach(descriptor: Descriptor): Describable;
export function attach(descriptor: Descriptor): Describable {
  return rebuildObject(descriptor, 'descriptor', described) as Describable;
}
