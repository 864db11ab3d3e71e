// SPDX-License-Identifier: MIT
export { Connection, Pipe, type Received } from './connection.js';
export type { ConnectionOptions, FromFdOptions } from './connection-options.js';
export type { WaitOptions } from './deadline.js';
export {
  BadMessageLength,
  BufferTooShort,
  BusyError,
  ClosedError,
  EOFError,
  InterruptedError,
  MultiprocessingError,
  NotReadable,
  NotSupported,
  NotWritable,
  PicklingError,
  TimeoutError,
  TruncatedMessageError,
  UnpicklingError,
} from './errors.js';
export type { PackUnpack, Serialization, Serializer } from './serialization/index.js';
export type { Bytes } from './validate.js';
export { wait, waitSync, type Waitable } from './wait.js';
