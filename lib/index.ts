// SPDX-License-Identifier: MIT
export { Condition, type ConditionAddress, type WaitLimits } from './condition.js';
export { Connection, Pipe, type Received } from './connection.js';
export type { ConnectionOptions, FromFdOptions } from './connection-options.js';
export type { WaitOptions } from './deadline.js';
export {
  attach,
  describe,
  type ConditionDescriptor,
  type Describable,
  type DescribeOptions,
  type Descriptor,
  type EventDescriptor,
  type SemLockDescriptor,
} from './describe.js';
export {
  BadMessageLength,
  BufferTooShort,
  BusyError,
  ClosedError,
  EOFError,
  InterruptedError,
  MultiprocessingError,
  NotOwner,
  NotReadable,
  NotSupported,
  NotWritable,
  OwnerDied,
  PicklingError,
  ReleasedTooOften,
  TimeoutError,
  TruncatedMessageError,
  UnpicklingError,
} from './errors.js';
export { Event, type EventAddress } from './event.js';
export { NamedSemaphore } from './named-semaphore.js';
export { Guard, SEM_VALUE_MAX, SemLock, type AcquireOptions } from './sem-lock.js';
export type { SemaphoreAddress } from './semaphore-handle.js';
export type { PackUnpack, Serialization, Serializer } from './serialization/index.js';
export { BoundedSemaphore, Lock, OwnableLock, RLock, Semaphore } from './synchronize.js';
export type { Bytes } from './validate.js';
export { wait, waitSync, type Waitable } from './wait.js';
