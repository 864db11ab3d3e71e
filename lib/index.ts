// SPDX-License-Identifier: MIT
export { activeChildren, BaseProcess } from './process/base-process.js';
export { Condition, type ConditionDescriptor, type WaitLimits } from './synchronize/condition.js';
export type { ConditionAddress } from './synchronize/waiter-counts.js';
export { Client, ClientSync, type ClientOptions } from './listener/client.js';
export { Connection, type BatchOptions, type Received } from './connection/connection.js';
export type { ConnectionDescriptor, SerializationKind } from './connection/channel-reduction.js';
export type { ConnectionOptions, FromFdOptions } from './connection/options.js';
export {
  currentProcess,
  CurrentProcess,
  isMainProcess,
  parentProcess,
  ParentProcess,
} from './process/current-process.js';
export type { WaitOptions } from './core/deadline.js';
export { attach, describe, type Describable, type DescribeOptions, type Descriptor } from './describe.js';
export {
  AuthenticationError,
  BadMessageLength,
  BrokenBarrier,
  BufferTooShort,
  BusyError,
  ChildProcessError,
  ClosedError,
  Empty,
  EOFError,
  Full,
  InterruptedError,
  MessagesLost,
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
} from './core/errors.js';
export { PoolClosed, PoolSaturated, RemoteError, TaskTimeout, WorkerDied } from './core/pool-errors.js';
export { RedisError } from './core/redis-errors.js';
export type { RemoteReport, WorkerEnd } from './core/pool-errors.js';
export type { LeaseHolder, UnfinishedItemsError } from './core/lease-errors.js';
export type { ChildFailure } from './core/error-report.js';
export type { DescriptorAddress, SemaphoreAddress } from './reduction/exporters.js';
export { Event, type EventAddress, type EventDescriptor } from './synchronize/event.js';
export { Listener, type ListenerOptions } from './listener/listener.js';
export { NamedSemaphore } from './synchronize/named-semaphore.js';
export { Guard, SEM_VALUE_MAX, SemLock, type AcquireOptions, type SemLockDescriptor } from './synchronize/sem-lock.js';
export { Process, type Arguments, type ProcessOptions, type Target } from './process/process.js';
export type { CommonProcessOptions } from './process/options.js';
export type { SocketAddress, SocketFamily } from './listener/socket-address.js';
export { Pipe } from './connection/pipe.js';
export { BasePool, type Yielded } from './pool/base-pool.js';
export type { Items } from './pool/batches.js';
export type { ContextSource, TaskContext } from './pool/context.js';
export type { PoolMessage, PoolWorkerMessage, TaskDoneMessage, TaskSubmitMessage } from './pool/diagnostics.js';
export { currentTask, type CurrentTask } from './pool/node/current-task.js';
export type {
  BrakeEvent,
  LogEvent,
  OutputEvent,
  PoolEvents,
  PoolStats,
  WorkerEvent,
  WorkerStats,
} from './pool/events.js';
export type {
  ApplyOptions,
  IteratorOptions,
  MapOptions,
  PoolOptions,
  StreamOptions,
  TaskOptions,
} from './pool/options.js';
export { Pool, type NodePoolOptions } from './pool/pool.js';
export type { TimeSummary } from './pool/statistics.js';
export type { StreamName } from './pool/worker-output.js';
export {
  PythonPool,
  type PythonApplyOptions,
  type PythonPoolOptions,
  type PythonStreamOptions,
} from './python/python-pool.js';
export { PythonProcess, type PythonProcessOptions } from './python/python-process.js';
export type { BuiltInSerialization, PackUnpack, Serialization, Serializer } from './serialization/format-types.js';
export * as pickle from './serialization/pickle/index.js';
export { float, int, tuple } from './serialization/pickle/wrappers.js';
export { BaseQueue, type QueueWaitOptions } from './queues/base-queue.js';
export { JoinableQueue } from './queues/joinable-queue.js';
export type { BaseLease } from './queues/base-lease.js';
export type { Lease } from './queues/lease.js';
export type { JoinableQueueOptions } from './queues/lease-options.js';
export type { LeaseQueueDescriptor } from './queues/lease-resources.js';
export type { LostItems } from './queues/lost-items.js';
export { Queue } from './queues/queue.js';
export type { QueueOptions, SimpleQueueOptions } from './queues/options.js';
export type { QueueDescriptor } from './queues/queue-resources.js';
export { SimpleQueue } from './queues/simple-queue.js';
export type { QueueStats } from './queues/transport.js';
export { Barrier, type BarrierDescriptor, type BarrierOptions } from './shared-memory/barrier.js';
export type { PieceAddress } from './shared-memory/heap.js';
export { sharedArray, type SharedArrayMaker, type TypedArrayClass } from './shared-memory/shared-array.js';
export { ShareableList, type ListItem, type ShareableListOptions } from './shared-memory/shareable-list.js';
export {
  SharedMemory,
  type SharedMemoryDescriptor,
  type SharedMemoryOptions,
  type ViewOptions,
} from './shared-memory/shared-memory.js';
export type { ElementOf, Typecode, ViewOf } from './shared-memory/typecodes.js';
export {
  RawArray,
  RawValue,
  SharedArray as Array,
  SharedCType,
  Value,
  type LockOptions,
  type SharedValueDescriptor,
} from './shared-memory/values.js';
export { BoundedSemaphore, Lock, OwnableLock, RLock, Semaphore } from './synchronize/locks.js';
export type { Bytes } from './core/validate.js';
export { wait, waitSync, type Ending, type Waitable } from './connection/wait.js';

import { exportCurrentTask } from './pool/node/current-task.js';
import { loadedAll } from './rebuilders.js';

loadedAll(import.meta.filename);
exportCurrentTask();
