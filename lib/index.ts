// SPDX-License-Identifier: MIT
export { BaseProcess } from './base-process.js';
export { Condition, type ConditionAddress, type WaitLimits } from './condition.js';
export { Client, ClientSync, type ClientOptions } from './client.js';
export { Connection, type Received } from './connection.js';
export type { ConnectionDescriptor, SerializationKind } from './connection-sharing.js';
export type { ConnectionOptions, FromFdOptions } from './connection-options.js';
export {
  activeChildren,
  currentProcess,
  CurrentProcess,
  isMainProcess,
  parentProcess,
  ParentProcess,
} from './current-process.js';
export type { WaitOptions } from './deadline.js';
export { attach, describe, type Describable, type DescribeOptions, type Descriptor } from './describe.js';
export {
  AuthenticationError,
  BadMessageLength,
  BufferTooShort,
  BusyError,
  ChildProcessError,
  ClosedError,
  Empty,
  EOFError,
  Full,
  InterruptedError,
  MultiprocessingError,
  NotClosed,
  NotOwner,
  NotReadable,
  NotSupported,
  NotWritable,
  OwnerDied,
  PicklingError,
  QueueBroken,
  ReleasedTooOften,
  ShutDown,
  TaskDoneError,
  TimeoutError,
  TruncatedMessageError,
  UnpicklingError,
  type ChildFailure,
} from './errors.js';
export type { DescriptorAddress } from './sharing.js';
export { Event, type EventAddress } from './event.js';
export { Listener, type ListenerOptions } from './listener.js';
export type { ConditionDescriptor, EventDescriptor, SemLockDescriptor } from './lock-sharing.js';
export { NamedSemaphore } from './named-semaphore.js';
export { Guard, SEM_VALUE_MAX, SemLock, type AcquireOptions } from './sem-lock.js';
export type { SemaphoreAddress } from './semaphore-handle.js';
export { Process, type Arguments, type ProcessOptions, type Target } from './process.js';
export type { CommonProcessOptions } from './process-options.js';
export type { SocketAddress, SocketFamily } from './socket-address.js';
export { Pipe } from './pipe.js';
export { PythonProcess, type PythonProcessOptions } from './python-process.js';
export type { BuiltInSerialization, PackUnpack, Serialization, Serializer } from './serialization/index.js';
export * as pickle from './serialization/pickle/index.js';
export { float, int, tuple } from './serialization/pickle/wrappers.js';
export { BaseQueue, type QueueWaitOptions } from './base-queue.js';
export { JoinableQueue } from './joinable-queue.js';
export { Queue } from './queue.js';
export type { QueueOptions, SimpleQueueOptions } from './queue-options.js';
export type { QueueDescriptor } from './queue-sharing.js';
export { SimpleQueue } from './simple-queue.js';
export { BoundedSemaphore, Lock, OwnableLock, RLock, Semaphore } from './synchronize.js';
export type { Bytes } from './validate.js';
export { wait, waitSync, type Ending, type Waitable } from './wait.js';

// Behind everything that they need, since several of these import each other.
import './parts/locks.js';
import './parts/queues.js';
import './parts/pickle.js';
