// SPDX-License-Identifier: MIT
//
// Every error this package throws is made here, or in status-errors.ts, lease-errors.ts or pool-errors.ts. The native layer
// reports numbers; nothing above these files knows them.
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

import { beginAtCaller } from './user-stack.js';
import type { ChildFailure } from './error-report.js';

/** What all semantic errors of this package have in common: a permanent `code`. */
export abstract class MultiprocessingError extends Error {
  /** Permanent, unlike the message. Listed in docs/errors.md. */
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    // The name of the class that was constructed, so that a user's subclass has a name of its own.
    Object.defineProperty(this, 'name', { value: new.target.name, configurable: true, writable: true });
    if (!isRoutine(this)) beginAtCaller(this, new.target);
  }
}

/**
 * Whether an error belongs to the ordinary course of a program, as Empty does. Programs make many of these, and to look for the
 * caller takes several times as long as to make the error.
 */
function isRoutine(error: MultiprocessingError): boolean {
  return [EOFError, Empty, Full, InterruptedError, TimeoutError, Unsendable].some((kind) => error instanceof kind);
}

/** The other end is closed in every process and nothing is left to receive. CPython: `EOFError`. */
export class EOFError extends MultiprocessingError {
  readonly code = 'ERR_MP_EOF';
  constructor(message = 'The other end of the connection is closed') {
    super(message);
  }
}

/**
 * The other end was closed inside a message. CPython: `OSError('got end of file during message')`, or `EOFError` right
 * after a header.
 */
export class TruncatedMessageError extends MultiprocessingError {
  readonly code = 'ERR_MP_TRUNCATED';
  /** Bytes of the message (or of its header) that arrived. */
  readonly received: number;
  /** Bytes that the message (or its header) has. */
  readonly expected: number;
  constructor(received: number, expected: number) {
    super(`The connection ended after ${received} of ${expected} bytes of a message`);
    this.received = received;
    this.expected = expected;
  }
}

/**
 * A message is longer than allowed, or its header holds a number that is not a length. CPython:
 * `OSError('bad message length')`.
 */
export class BadMessageLength extends MultiprocessingError {
  readonly code = 'ERR_MP_BAD_MESSAGE_LENGTH';
  /** The announced length, in bytes; negative if the header does not hold a length. */
  readonly length: number;
  constructor(length: number, limit: number, outcome = 'nothing more can be received') {
    super(
      length < 0
        ? `The stream holds ${length} where a message length is expected; ${outcome}`
        : `A message of ${length} bytes exceeds the limit of ${limit}; ${outcome}`,
    );
    this.length = length;
  }
}

/**
 * The message does not fit into the buffer. It has been consumed, and is in `bytes`. CPython:
 * `multiprocessing.BufferTooShort`.
 */
export class BufferTooShort extends MultiprocessingError {
  readonly code = 'ERR_MP_BUFFER_TOO_SHORT';
  /** The whole message. CPython: `args[0]`. */
  readonly bytes: Buffer;
  constructor(message: Buffer, room: number) {
    super(`A message of ${message.length} bytes does not fit into the ${room} bytes of the buffer`);
    this.bytes = message;
  }
}

/** The object has been closed. CPython: `OSError('handle is closed')`. */
export class ClosedError extends MultiprocessingError {
  readonly code = 'ERR_MP_CLOSED';
  constructor(what = 'Connection') {
    super(`${what} is closed`);
  }
}

/** This end does not receive, or can no longer receive. CPython: `OSError('connection is write-only')`. */
export class NotReadable extends MultiprocessingError {
  readonly code = 'ERR_MP_NOT_READABLE';
  constructor(message = 'This end of the connection cannot receive') {
    super(message);
  }
}

/** This end does not send, or can no longer send. CPython: `OSError('connection is read-only')`. */
export class NotWritable extends MultiprocessingError {
  readonly code = 'ERR_MP_NOT_WRITABLE';
  constructor(message = 'This end of the connection cannot send') {
    super(message);
  }
}

/** Another call is using the object at this moment. No CPython counterpart: there, the bytes of such calls mix. */
export class BusyError extends MultiprocessingError {
  readonly code = 'ERR_MP_BUSY';
}

/** The time was up. A message that was received in part is kept for the next call. CPython: `TimeoutError`. */
export class TimeoutError extends MultiprocessingError {
  readonly code = 'ERR_MP_TIMEOUT';
  /** For a send: whether its first byte was written already. Then the rest of the message still follows. */
  readonly begun: boolean;
  constructor(
    operation: string,
    begun = false,
    detail = begun ? ' inside a message, which is still being written' : '',
  ) {
    super(`${operation} timed out${detail}`);
    this.begun = begun;
  }
}

/** There was no item to get, at once or within the time limit. CPython: `queue.Empty`. */
export class Empty extends MultiprocessingError {
  readonly code = 'ERR_MP_EMPTY';
  constructor() {
    super('The queue is empty');
  }
}

/** There was no room for an item, at once or within the time limit. CPython: `queue.Full`. */
export class Full extends MultiprocessingError {
  readonly code = 'ERR_MP_FULL';
  constructor() {
    super('The queue is full');
  }
}

/** `taskDone` was called more often than items were put, or leased to this consumer. Nothing is changed. CPython: `ValueError`. */
export class TaskDoneError extends MultiprocessingError {
  readonly code = 'ERR_MP_TASK_DONE';
  constructor(message = 'taskDone() was called more often than items were put') {
    super(message);
  }
}

/**
 * Messages that `send` had accepted (`sends: 'accepted'`) were not written; `cause` says why. No CPython counterpart.
 */
export class MessagesLost extends MultiprocessingError {
  readonly code = 'ERR_MP_MESSAGES_LOST';
  /** How many messages. */
  readonly count: number;
  constructor(count: number, options?: ErrorOptions) {
    const reason = options?.cause instanceof Error ? `: ${options.cause.message}` : '';
    super(`${count} message(s) that send had accepted were not written${reason}`, options);
    this.count = count;
  }
}

/** The call needs an object that is closed. CPython: `AssertionError`. */
export class NotClosed extends MultiprocessingError {
  readonly code = 'ERR_MP_NOT_CLOSED';
}

/**
 * A process or worker ended in the middle of an item, so that the beginning of the next item cannot be found; or the
 * pipe holds something other than items (`cause` says what). No CPython counterpart: there, all members wait for ever,
 * or read garbage.
 */
export class QueueBroken extends MultiprocessingError {
  readonly code = 'ERR_MP_QUEUE_BROKEN';
  constructor(options?: ErrorOptions) {
    super('The queue is broken: the beginning of its next item cannot be found', options);
  }
}

/** The queue was shut down. CPython: `queue.ShutDown` (3.13, for queues between threads). */
export class ShutDown extends MultiprocessingError {
  readonly code = 'ERR_MP_SHUT_DOWN';
  constructor() {
    super('The queue was shut down');
  }
}

/**
 * A signal for which JavaScript has a listener arrived during a Sync call. The call can be repeated. CPython:
 * `InterruptedError`.
 */
export class InterruptedError extends MultiprocessingError {
  readonly code = 'ERR_MP_INTERRUPTED';
  /**
   * For a send: whether its first byte was written already. Then the rest still follows, and must not be sent again.
   */
  readonly begun: boolean;
  constructor(operation: string, begun = false) {
    super(`${operation} was interrupted by a signal`);
    this.begun = begun;
  }
}

/**
 * A release without an acquire before it. The value is unchanged. CPython:
 * `ValueError('semaphore or lock released too many times')`.
 */
export class ReleasedTooOften extends MultiprocessingError {
  readonly code = 'ERR_MP_RELEASED_TOO_OFTEN';
  constructor(what: string) {
    super(`${what} was released more often than it was acquired`);
  }
}

/** Only the owner of a lock may do this. CPython: `AssertionError`. */
export class NotOwner extends MultiprocessingError {
  readonly code = 'ERR_MP_NOT_OWNER';
}

/**
 * The process or worker that held the lock ended without releasing it. No CPython counterpart: there, all waiters wait
 * for ever.
 */
export class OwnerDied extends MultiprocessingError {
  readonly code = 'ERR_MP_OWNER_DIED';
  /** The process that held it. */
  readonly pid: number;
  /**
   * Whether it is certain that no other process has the lock now, so that `recover` lets no second one in. It is not
   * while a program that keeps no records (a Python or C program that this package has not started) has the lock open:
   * the program may have released it in place of the dead process, and taken it.
   */
  readonly certain: boolean;
  constructor(what: string, pid: number, certain: boolean) {
    super(
      `Process ${pid} ended while it held the ${what}; the data that the ${what} protects may be half changed. ` +
        'recover() releases it',
    );
    this.pid = pid;
    this.certain = certain;
  }
}

/**
 * The operation is not possible on this system, with this kind of object, or in this place. CPython:
 * `NotImplementedError`.
 */
export class NotSupported extends MultiprocessingError {
  readonly code = 'ERR_MP_NOT_SUPPORTED';
}

/**
 * @internal A value contains an object of this package, and the serializer does not know such objects. For the formats of this
 * package that is no failure: they catch this error and serialise the value in another way.
 */
export class Unsendable extends NotSupported {
  static override readonly name = 'NotSupported';
}

/** The barrier is broken: it was aborted or reset, or a wait was too long. CPython: `threading.BrokenBarrierError`. */
export class BrokenBarrier extends MultiprocessingError {
  readonly code = 'ERR_MP_BROKEN_BARRIER';
  constructor(message = 'The barrier is broken: a wait was too long, or it was aborted or reset') {
    super(message);
  }
}

/**
 * A child process did not get to its function, or failed with an uncaught error, which is the `cause` if the child is a Node
 * process: with name, message, stack, causes and own properties. CPython: the traceback that the child prints.
 */
export class ChildProcessError extends MultiprocessingError {
  readonly code = 'ERR_MP_CHILD_PROCESS';
  /** The number of the process. */
  readonly pid: number;
  /**
   * The stage in which it failed: `attach` (beginning, and taking over its arguments), `import` (loading the module),
   * `export` (finding the function in it), or `run` (the function itself).
   */
  readonly stage: ChildFailure['stage'];
  /** The child's own stack or traceback. Not enumerable: an error that is printed shows it in its message or cause. */
  declare readonly childStack: string;
  constructor(name: string, pid: number, { stage, message, stack }: ChildFailure, options?: ErrorOptions) {
    // A cause brings the stack with it.
    const tail = options?.cause !== undefined || stack === '' ? '' : `\n${stack}`;
    super(`${name} (pid ${pid}): ${message}${tail}`, options);
    this.pid = pid;
    this.stage = stage;
    Object.defineProperty(this, 'childStack', { value: stack, enumerable: false, configurable: true, writable: true });
  }
}

/**
 * The two sides of a connection do not have the same key, or one of them ended the authentication. CPython:
 * `multiprocessing.AuthenticationError`.
 */
export class AuthenticationError extends MultiprocessingError {
  readonly code = 'ERR_MP_AUTHENTICATION';
}

/** A value cannot be serialised; `cause` says why. Nothing was sent. CPython: `pickle.PicklingError`. */
export class PicklingError extends MultiprocessingError {
  readonly code = 'ERR_MP_PICKLING';
}

/** A message was received whole and cannot be decoded; `cause` says why. CPython: `pickle.UnpicklingError`. */
export class UnpicklingError extends MultiprocessingError {
  readonly code = 'ERR_MP_UNPICKLING';
}

/** The error of a pending call whose `signal` aborts, in the form of Node's own. */
export function abortError(signal: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal.reason as unknown });
  error.name = 'AbortError';
  return Object.assign(error, { code: 'ABORT_ERR' });
}

/** A TypeError or RangeError in the form of Node's own argument errors. */
export function argumentError(kind: 'type' | 'range', message: string, options?: ErrorOptions): TypeError | RangeError {
  const error =
    kind === 'type'
      ? Object.assign(new TypeError(message, options), { code: 'ERR_INVALID_ARG_TYPE' })
      : Object.assign(new RangeError(message, options), { code: 'ERR_OUT_OF_RANGE' });
  beginAtCaller(error, argumentError);
  return error;
}

/** The names and texts of errors by their negated numbers, read with the first error. */
let known: { readonly names: ReturnType<typeof getSystemErrorMap>; readonly rest: ReadonlyMap<number, string> };

function knownErrors(): typeof known {
  const numbers = (): [number, string][] => Object.entries(constants.errno).map(([name, number]) => [-number, name]);
  return (known ??= { names: getSystemErrorMap(), rest: new Map(numbers()) });
}

/** An error of the operating system with the properties of Node's own: `code`, `errno`, `syscall`. */
export function systemError(errno: number, syscall: string, detail?: string, by?: ErrorOptions): NodeJS.ErrnoException {
  const { names, rest } = knownErrors();
  const [name, text] = names.get(errno) ?? [rest.get(errno) ?? `E${-errno}`, 'system error'];
  const message = `${syscall} ${name}: ${text}${detail === undefined ? '' : `, ${detail}`}`;
  const error = Object.assign(new Error(message, by), { code: name, errno, syscall });
  beginAtCaller(error, systemError);
  return error;
}

/** Explanations of the errors that semaphores meet in practice. */
const semaphoreHints: Readonly<Record<string, string>> = {
  ENOENT:
    'the name does not exist (any more). Its creator may have closed it or ended; or a login session ended and ' +
    "systemd removed the user's semaphores, which RemoveIPC=no in logind.conf prevents; or there is no /dev/shm",
  ENOSYS: 'named semaphores need /dev/shm, which is missing or not a tmpfs here',
  ENOSPC: '/dev/shm is full; every semaphore takes a page of 4 KiB there (docker run --shm-size makes it larger)',
  EACCES: 'it belongs to another user, or /dev/shm cannot be written by this user',
  EPERM: 'the register of its family in /dev/shm must be a file of this user',
  EROFS: '/dev/shm is mounted read-only',
  EMFILE: 'too many descriptors or semaphores are open in this process; close() those that are no longer used',
  ENOMEM: 'this process has too many mappings; close() semaphores that are no longer used',
  EEXIST: 'a semaphore of this name exists already',
  EIO: 'its file in /dev/shm, or that of the table beside it, was truncated or overwritten',
};

/** The error for a failed call on a semaphore. */
export function semaphoreError(status: number, syscall: string, name?: string): Error {
  const { names, rest } = knownErrors();
  const code = names.get(status)?.[0] ?? rest.get(status) ?? '';
  const details = [name, semaphoreHints[code]].filter((detail) => detail !== undefined);
  return systemError(status, syscall, details.length > 0 ? details.join(': ') : undefined);
}
