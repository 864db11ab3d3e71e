// SPDX-License-Identifier: MIT
import { argumentError, NotReadable, NotWritable } from '../core/errors.js';
import { DEFAULT_EXIT_FLUSH_MS } from '../event-loop/exit.js';
import { hasOneCpu } from '../core/cpus.js';
import type { Serialization } from '../serialization/format-types.js';
import { checkBoolean, checkInteger, checkObject, checkTimeout, optionNames } from '../core/validate.js';

/** Options of a Connection, given where it is made. */
export interface ConnectionOptions {
  /** How `send` and `recv` turn objects into messages. Default `'structured'`; both ends must use the same. */
  serialization?: Serialization | undefined;
  /**
   * Whether `recv` collects Connections that are in pickles. For that it connects to the process that has sent them, if this is
   * one of the same user, and proves that it has this process' `authkey`. Default: true for `Pipe()`; false for `fromFd`,
   * `Listener` and `Client`, where such a message is an `UnpicklingError`.
   */
  takesConnections?: boolean | undefined;
  /** Longest message that is received, in bytes; a longer one causes `BadMessageLength`. Default 1 GiB. */
  maxMessageBytes?: number | undefined;
  /**
   * Whether to read beyond the current message. This saves system calls, and is correct only while no other process
   * reads from this end. Default: true for `Pipe()`, until `fileno()` is called, `Listener` and `Client`; false for `fromFd`.
   */
  readAhead?: boolean | undefined;
  /**
   * How long a Sync receive may retry before it sleeps, in microseconds. Shorter times are used when retrying has not
   * paid off. Default 50, and 0 on a machine with one CPU.
   */
  spinMicros?: number | undefined;
  /**
   * How long the event loop may poll for messages before it sleeps, in microseconds, while an asynchronous receive is
   * pending and the loop is otherwise idle. A prompt answer then arrives in a fraction of the time, at the price of CPU
   * time. Shorter times are used when polling has not paid off. Default 50, and 0 on a machine with one CPU.
   */
  asyncSpinMicros?: number | undefined;
  /**
   * How long the process may delay its end until the peer has read enough for pending sends to be written, in
   * milliseconds. Default 5000.
   */
  exitFlushMs?: number | undefined;
  /**
   * Whether received Buffers may be parts of a larger memory, into which many small messages are read together. This spares
   * a copy of each. A part that is kept then keeps 64 KiB, and transferring it empties others. Nothing is written to that
   * memory again. Default false: every Buffer has memory of its own.
   */
  views?: boolean | undefined;
  /**
   * What a resolved `send` means. `'written'`, the default: the kernel has the message. `'accepted'`: the message is in memory
   * and will be written, at the latest at the end of this turn of the event loop, or after a millisecond while the thread is
   * blocked. If that fails, the next `send`, `flush()` or `close()` fails with `MessagesLost`.
   */
  sends?: 'written' | 'accepted' | undefined;
  /** With `sends: 'accepted'`: how many bytes may wait to be written before `send` waits, in bytes. Default 1 MiB. */
  sendBuffer?: number | undefined;
}

/** @internal The options of a Connection, for the lists of places that have others too. */
export const CONNECTION_OPTIONS = {
  serialization: true,
  takesConnections: true,
  maxMessageBytes: true,
  readAhead: true,
  spinMicros: true,
  asyncSpinMicros: true,
  exitFlushMs: true,
  views: true,
  sends: true,
  sendBuffer: true,
} as const;

/** @internal */
export const connectionNames = optionNames<ConnectionOptions>(CONNECTION_OPTIONS);

/** Options of `Connection.fromFd`. */
export interface FromFdOptions extends ConnectionOptions {
  /** Whether this end receives. Default: whether the descriptor is open for reading. */
  readable?: boolean | undefined;
  /** Whether this end sends. Default: whether the descriptor is open for writing. */
  writable?: boolean | undefined;
}

/** @internal */
export const fromFdNames = optionNames<FromFdOptions>({ ...CONNECTION_OPTIONS, readable: true, writable: true });

/** Validated options of a channel. */
export interface ChannelOptions {
  readonly maxMessageBytes: number;
  readonly readAhead: boolean;
  /** Longest time a Sync receive retries before it sleeps, in nanoseconds. */
  readonly spinNs: number;
  /** Longest time the event loop polls for awaited messages before it sleeps, in nanoseconds. */
  readonly asyncSpinNs: number;
  readonly exitFlushMs: number;
  /** Whether received Buffers may be parts of memory that others are parts of too. */
  readonly views: boolean;
  /** How many bytes may wait whose sends have resolved; 0 if a send resolves when its message is written. */
  readonly acceptedBytes: number;
  /** Whether the kernel's buffer is enlarged for large messages: of a pipe or socketpair that this package made. */
  readonly growsBuffer: boolean;
}

/** The directions in which bytes flow. */
export interface Direction {
  readonly readable: boolean;
  readonly writable: boolean;
}

export const DEFAULT_MAX_MESSAGE_BYTES = 2 ** 30;
const DEFAULT_SPIN_MICROS = 50;
const DEFAULT_SEND_BUFFER = 2 ** 20;

function defaultSpinMicros(): number {
  return hasOneCpu() ? 0 : DEFAULT_SPIN_MICROS;
}

/** Validates a spin time, and converts it from microseconds to nanoseconds. */
function checkSpin(micros: unknown, name: string): number {
  if (typeof micros !== 'number') throw argumentError('type', `${name} must be a number of microseconds`);
  if (!(micros >= 0 && micros <= 1e6)) throw argumentError('range', `${name} must be from 0 to 1000000, not ${micros}`);
  return micros * 1000;
}

function checkSends({ sends = 'written', sendBuffer }: ConnectionOptions): number {
  if (!['written', 'accepted'].includes(sends)) {
    throw argumentError(typeof sends === 'string' ? 'range' : 'type', "sends must be 'written' or 'accepted'");
  }
  if (sendBuffer !== undefined) checkInteger(sendBuffer, 'sendBuffer', 1);
  if (sends === 'accepted') return sendBuffer ?? DEFAULT_SEND_BUFFER;
  if (sendBuffer !== undefined) throw argumentError('range', "sendBuffer needs sends: 'accepted'");
  return 0;
}

/** Validates options and fills in the defaults. Further options pass: callers and descriptors may have their own. */
export function checkOptions(options: ConnectionOptions, readAhead: boolean, growsBuffer = false): ChannelOptions {
  checkObject(options, 'options');
  const maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
  checkInteger(maxMessageBytes, 'maxMessageBytes');
  const exitFlushMs = checkTimeout(options.exitFlushMs ?? DEFAULT_EXIT_FLUSH_MS, 'exitFlushMs');
  if (options.takesConnections !== undefined) checkBoolean(options.takesConnections, 'takesConnections');
  if (options.readAhead !== undefined) checkBoolean(options.readAhead, 'readAhead');
  if (options.views !== undefined) checkBoolean(options.views, 'views');
  return {
    maxMessageBytes,
    spinNs: checkSpin(options.spinMicros ?? defaultSpinMicros(), 'spinMicros'),
    asyncSpinNs: checkSpin(options.asyncSpinMicros ?? defaultSpinMicros(), 'asyncSpinMicros'),
    exitFlushMs,
    readAhead: options.readAhead ?? readAhead,
    views: options.views ?? false,
    acceptedBytes: checkSends(options),
    growsBuffer,
  };
}

/** The requested directions, which must be among those that the descriptor has. */
export function narrow(options: FromFdOptions, can: Direction): Direction {
  if (options.readable !== undefined) checkBoolean(options.readable, 'readable');
  if (options.writable !== undefined) checkBoolean(options.writable, 'writable');
  const readable = options.readable ?? can.readable;
  const writable = options.writable ?? can.writable;
  if (readable && !can.readable) throw new NotReadable('fd is not open for reading');
  if (writable && !can.writable) throw new NotWritable('fd is not open for writing');
  if (!readable && !writable) throw argumentError('range', 'At least one of readable and writable must be true');
  return { readable, writable };
}
