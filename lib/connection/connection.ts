// SPDX-License-Identifier: MIT
import { inspect } from 'node:util';

import { defineAliases } from '../core/aliases.js';
import { Channel } from './channel.js';
import { reduceChannel, type ConnectionDescriptor } from './channel-reduction.js';
import { checkOptions, fromFdNames, narrow, type FromFdOptions } from './options.js';
import { checkLimits, deadlineAfter, type Limits, type WaitOptions } from '../core/deadline.js';
import { argumentError, ClosedError, EOFError, NotReadable, NotSupported, NotWritable } from '../core/errors.js';
import { CallIterator, NOTHING } from '../event-loop/call-iterator.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import type { BatchReceiveOptions, ReceiveOptions } from './receiving/batches.js';
import { ChannelFormat } from './channel-format.js';
import { isReady, isReadySync } from './wait-sources.js';
import { kIdentity, kReduce } from '../reduction/registry.js';
import { encodeMessage } from './encode-message.js';
import { shareableMark } from '../reduction/shareable.js';
import type { MessageContext } from '../reduction/attachments.js';
import type { Exporter } from '../reduction/exporters.js';
import { bytesDecoder, decoderInto, type MessageDecoder } from '../serialization/message-decoder.js';
import {
  checkBoolean,
  checkBytes,
  checkDescriptor,
  checkInteger,
  checkOptionNames,
  checkRange,
  checkTimeout,
  optionNames,
  type Bytes,
} from '../core/validate.js';

/** The result of `tryRecv`, an object because the value itself may be `undefined`. */
export interface Received<R> {
  /** The object. */
  value: R;
}

/** Options of `recvMany`. */
export interface BatchOptions extends WaitOptions {
  /** Whether the messages themselves are received, as `recvBytes` does. Default false. */
  bytes?: boolean | undefined;
}

const batchNames = optionNames<BatchOptions>({ bytes: true, timeout: true, signal: true });

const batchesNames = optionNames<Pick<BatchOptions, 'bytes'>>({ bytes: true });

/** @internal The name of a method of Connection that users do not meet. */
export const kSendIn = Symbol('sendIn');

/** Key that only this module passes to the constructor. */
const kConstruct = Symbol('construct');

const mark = shareableMark('Connection');

const closeNames = optionNames<NonNullable<Parameters<Connection['close']>[0]>>({ discard: true });

/** Closes Connections that were garbage collected. */
const collected = new FinalizationRegistry<Channel>((channel) => {
  channel.removeUser(false);
});

/**
 * One end of a pipe, over a real descriptor. CPython: `multiprocessing.connection.Connection`.
 *
 * `S` is the type of the objects sent, `R` that of the objects received; an end that does not send (or receive) has
 * `never` there. Every method that waits has a blocking twin, whose name ends in `Sync`. Receives are served and sends
 * are written in the order of the calls, and a receive or send that ends early (timeout, abort) leaves the stream
 * intact. A Connection that is garbage collected is closed.
 */
export class Connection<S = unknown, R = S> {
  readonly #channel: Channel;
  /** Shared with the `dup()`s of this object and with the other end of a Pipe. */
  readonly #serialization: ChannelFormat;
  readonly #keepAlive = new KeepAlive();
  #closed = false;

  /** Connections are made by `Pipe` and `Connection.fromFd`. */
  private constructor(key: typeof kConstruct, channel: Channel, serialization: ChannelFormat) {
    if (key !== kConstruct)
      throw argumentError('type', 'A Connection cannot be constructed: use Pipe() or Connection.fromFd()');
    this.#channel = channel;
    this.#serialization = serialization;
    channel.addUser();
    collected.register(this, channel, this);
    Object.defineProperty(this, 'shareable', mark);
  }

  /**
   * Takes over an open descriptor, such as one inherited from the parent process. CPython: `Connection(handle)`.
   *
   * From then on the Connection owns the descriptor: it makes it close-on-exec, and closes it. The directions are those
   * for which the descriptor is open; `readable` and `writable` can only narrow them.
   *
   * @throws RangeError for the standard streams 0 to 2, TypeError for a descriptor that is not a pipe or a connected
   *   stream socket, `BusyError` for a descriptor that already belongs to a Connection, a system error (EBADF) for one
   *   that is not open.
   */
  static fromFd<S = unknown, R = S>(fd: number, options: FromFdOptions = {}): Connection<S, R> {
    checkInteger(fd, 'fd', 3, 0x7fffffff);
    checkOptionNames(options, fromFdNames);
    const channelOptions = checkOptions(options, false);
    const serialization = new ChannelFormat(options.serialization, true, options.takesConnections);
    return Connection.over<S, R>(
      Channel.adopt(fd, channelOptions, (can) => narrow(options, can)),
      serialization,
    );
  }

  /** Whether this end receives. Also false after a failure that left the stream out of step. CPython: `readable`. */
  get readable(): boolean {
    return this.#channel.direction.readable && !this.#channel.receiver.unreadable;
  }

  /** Whether this end sends. CPython: `writable`. */
  get writable(): boolean {
    return this.#channel.direction.writable;
  }

  /** Whether this object was closed. CPython: `closed`. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * The number of the descriptor, for passing it to a child process. Pending sends are written first, as far as there
   * is room, and from then on nothing is read ahead. CPython: `fileno()`.
   *
   * @throws `ClosedError`
   */
  fileno(): number {
    this.#checkOpen();
    return this.#channel.passOn();
  }

  /**
   * Sends one object. CPython: `send(obj)`.
   *
   * The object is serialised and, if there is room, written before this returns; the promise resolves when the kernel
   * has the whole message, or as the option `sends` says. Rejects with `MessagesLost`, `PicklingError`, `ClosedError`,
   * `NotWritable`, `TimeoutError`, an AbortError, or a system error (EPIPE when the other end is closed in all processes).
   */
  send(value: S, options?: WaitOptions): Promise<void> {
    return this[kSendIn](undefined, value, options);
  }

  /** @internal As `send`, in a message whose context the caller has made for this endpoint. */
  [kSendIn](context: MessageContext | undefined, value: S, options?: WaitOptions): Promise<void> {
    try {
      this.#checkWritable();
      const limits = checkLimits(options);
      const bytes = encodeMessage(value, this.#channel, this.#serialization, context);
      if (!(bytes instanceof Uint8Array)) return this.#channel.sender.sendObjectMessage(bytes, limits, this.#keepAlive);
      return this.#channel.sender.send(bytes, 0, bytes.length, 'send', limits, this.#keepAlive);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `send`, blocking. */
  sendSync(value: S, options?: WaitOptions): void {
    this.#checkWritable();
    const deadline = deadlineAfter(checkLimits(options).timeout);
    const bytes = encodeMessage(value, this.#channel, this.#serialization);
    if (!(bytes instanceof Uint8Array)) {
      this.#channel.sender.sendObjectMessageSync(bytes, deadline);
      return;
    }
    this.#channel.sender.sendSync(bytes, 0, bytes.length, 'sendSync', deadline);
  }

  /**
   * Sends bytes as one message. CPython: `send_bytes(buffer, offset, size)`.
   *
   * When this returns, up to 64 KiB of the message have been written or copied. The rest of a longer message is read
   * from `buffer` until the promise resolves, so `buffer` must not change before then.
   *
   * Rejects as `send` does, and with TypeError or RangeError for invalid arguments.
   *
   * @param offset Where the message begins in `buffer`, in bytes.
   * @param size Its length in bytes. Default: to the end.
   */
  sendBytes(buffer: Bytes, offset = 0, size?: number, options?: WaitOptions): Promise<void> {
    try {
      this.#checkWritable();
      const data = checkBytes(buffer, 'buffer');
      const length = checkRange(offset, size, data.length);
      return this.#channel.sender.send(data, offset, length, 'sendBytes', checkLimits(options), this.#keepAlive);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `sendBytes`, blocking. */
  sendBytesSync(buffer: Bytes, offset = 0, size?: number, options?: WaitOptions): void {
    this.#checkWritable();
    const data = checkBytes(buffer, 'buffer');
    const length = checkRange(offset, size, data.length);
    const deadline = deadlineAfter(checkLimits(options).timeout);
    this.#channel.sender.sendSync(data, offset, length, 'sendBytesSync', deadline);
  }

  /**
   * Resolves when everything that was sent before is written. With `sends: 'accepted'` this is how a program learns it. No
   * CPython counterpart: there, `send` returns when it is.
   *
   * Rejects with `MessagesLost` if messages that were accepted could not be written, `ClosedError`, `NotWritable`,
   * `TimeoutError`, an AbortError, or a system error.
   */
  flush(options?: WaitOptions): Promise<void> {
    try {
      this.#checkWritable();
      return this.#channel.sender.whenWritten(checkLimits(options), this.#keepAlive);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `flush`, blocking. */
  flushSync(options?: WaitOptions): void {
    this.#checkWritable();
    this.#channel.sender.writeAllSync(deadlineAfter(checkLimits(options).timeout));
  }

  /**
   * Receives one object. CPython: `recv()`.
   *
   * Rejects with `EOFError` when the other end is closed in all processes and no data is left, `TruncatedMessageError`,
   * `BadMessageLength`, `UnpicklingError`, `ClosedError`, `NotReadable`, `TimeoutError`, an AbortError, or a system
   * error.
   */
  recv(options?: WaitOptions): Promise<R> {
    if (options === undefined) {
      try {
        const value = this.#takeNow(this.#serialization.forReceiver as MessageDecoder<R>);
        if (value !== NOTHING) return Promise.resolve(value);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return this.#receive(this.#serialization.forReceiver as MessageDecoder<R>, 'recv', undefined, options);
  }

  /** As `recv`, blocking. */
  recvSync(options?: WaitOptions): R {
    return this.#receiveSync(this.#serialization.forReceiver as MessageDecoder<R>, 'recvSync', undefined, options);
  }

  /**
   * Receives one message. CPython: `recv_bytes(maxlength)`.
   *
   * Resolves to a Buffer that shares its memory with no other, unless the Connection has `views`. Rejects as `recv` does.
   *
   * @param maxLength Longest message accepted, in bytes. After a longer one (`BadMessageLength`) nothing more can be
   *   received, as in CPython; sending still works.
   */
  recvBytes(maxLength?: number, options?: WaitOptions): Promise<Buffer> {
    if (maxLength === undefined && options === undefined) {
      const bytes = this.#takeNow(bytesDecoder);
      if (bytes !== NOTHING) return Promise.resolve(bytes);
    }
    return this.#receive(bytesDecoder, 'recvBytes', maxLength, options);
  }

  /** As `recvBytes`, blocking. */
  recvBytesSync(maxLength?: number, options?: WaitOptions): Buffer {
    return this.#receiveSync(bytesDecoder, 'recvBytesSync', maxLength, options);
  }

  /**
   * Receives the objects that are there, in their order: at least one, for which it waits as `recv` does, and no further one
   * that it would have to wait for. Together their messages have at most 1 MiB, unless the first alone is longer. No CPython
   * counterpart.
   *
   * Rejects as `recv` does. What goes wrong behind the first message is the outcome of the next receive.
   *
   * @param max The largest number of objects. Default 1024.
   * @param options.bytes Receives the messages themselves, as `recvBytes` does.
   */
  recvMany(max: number | undefined, options: BatchOptions & { bytes: true }): Promise<Buffer[]>;
  recvMany(max?: number, options?: BatchOptions & { bytes?: false | undefined }): Promise<R[]>;
  recvMany(max?: number, options?: BatchOptions): Promise<(R | Buffer)[]> {
    try {
      this.#checkReadable();
      const { decoder, wanted, limits } = this.#checkBatch('recvMany', max, options);
      return this.#channel.receiver.receiveMany(decoder, wanted, limits, this, this.#keepAlive);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `recvMany`, blocking until the first object is there. */
  recvManySync(max: number | undefined, options: BatchOptions & { bytes: true }): Buffer[];
  recvManySync(max?: number, options?: BatchOptions & { bytes?: false | undefined }): R[];
  recvManySync(max?: number, options?: BatchOptions): (R | Buffer)[] {
    this.#checkReadable();
    const { decoder, wanted, limits } = this.#checkBatch('recvManySync', max, options);
    const { receiver, options: channelOptions } = this.#channel;
    return receiver.receiveManySync(decoder, wanted, deadlineAfter(limits.timeout), channelOptions.spinNs);
  }

  /**
   * Receives batches, as `recvMany` does, until the end of data. Leaving the loop early does not close the Connection, and
   * loses nothing.
   *
   * @param max The largest number of objects in a batch. Default 1024.
   * @param options.bytes Receives the messages themselves, as `recvBytes` does.
   */
  batches(max: number | undefined, options: { bytes: true }): AsyncGenerator<Buffer[], void, undefined>;
  batches(max?: number, options?: { bytes?: false | undefined }): AsyncGenerator<R[], void, undefined>;
  batches(max?: number, options?: { bytes?: boolean | undefined }): AsyncGenerator<(R | Buffer)[], void, undefined> {
    this.#checkBatch('batches', max, options, batchesNames);
    const bytes = options?.bytes as true;
    return new CallIterator<(R | Buffer)[]>(({ signal }) => this.recvMany(max, { bytes, signal }), isEndOfData);
  }

  /**
   * Receives one message into existing memory and resolves to its length in bytes. CPython: `recv_bytes_into(buffer,
   * offset)`.
   *
   * Rejects as `recv` does, and with `BufferTooShort`, which carries the whole message, if the message does not fit. A large
   * message is read straight into the memory, which belongs to this call until the promise is settled. After a timeout or an
   * abort the memory has an undefined part of the message, and the next receive gets the whole message. If the memory is
   * detached or shrunk meanwhile, the message is lost, which is a TypeError.
   *
   * @param offset Where in `buffer` the message is to begin, in bytes.
   */
  recvBytesInto(buffer: Bytes, offset = 0, options?: WaitOptions): Promise<number> {
    try {
      this.#checkReadable();
      return this.#receive(decoderInto(buffer, offset), 'recvBytesInto', undefined, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `recvBytesInto`, blocking. */
  recvBytesIntoSync(buffer: Bytes, offset = 0, options?: WaitOptions): number {
    this.#checkReadable();
    return this.#receiveSync(decoderInto(buffer, offset), 'recvBytesIntoSync', undefined, options);
  }

  /**
   * Receives one object without waiting; undefined if no whole message has arrived. No CPython counterpart.
   *
   * @throws the errors with which `recv` rejects.
   */
  tryRecv(): Received<R> | undefined {
    this.#checkReadable();
    return this.#channel.receiver.tryReceive(this.#serialization.forReceiver as MessageDecoder<R>, {
      operation: 'tryRecv',
      maxLength: Infinity,
    });
  }

  /** Receives one message without waiting; undefined if no whole message has arrived. */
  tryRecvBytes(): Buffer | undefined {
    this.#checkReadable();
    return this.#channel.receiver.tryReceive(bytesDecoder, { operation: 'tryRecvBytes', maxLength: Infinity })?.value;
  }

  /**
   * Whether there is something to receive, including the end of data. CPython: `poll(timeout)`.
   *
   * Rejects with `ClosedError` or `NotReadable`.
   *
   * @param timeout How long to wait for it, in milliseconds. Omitted: do not wait; null: no limit.
   */
  async poll(timeout?: number | null): Promise<boolean> {
    this.#checkReadable();
    const limit = timeout === undefined ? 0 : checkTimeout(timeout);
    return await isReady(() => Connection.channelOf(this), limit, this.#keepAlive);
  }

  /** As `poll`, blocking. */
  pollSync(timeout?: number | null): boolean {
    this.#checkReadable();
    const limit = timeout === undefined ? 0 : checkTimeout(timeout);
    return isReadySync(this.#channel, limit);
  }

  /**
   * Sends a copy of an open descriptor to the process at the other end. CPython:
   * `multiprocessing.reduction.send_handle`.
   *
   * The descriptor is not a message: the peer must call `recvHandle` at this point of the stream. Rejects as `send`
   * does, and with `NotSupported` for a connection that is not duplex.
   */
  sendHandle(fd: number, options?: WaitOptions): Promise<void> {
    try {
      this.#checkHandles(true);
      checkDescriptor(fd, 'fd');
      return this.#channel.sender.sendHandle(fd, checkLimits(options), this.#keepAlive);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `sendHandle`, blocking. */
  sendHandleSync(fd: number, options?: WaitOptions): void {
    this.#checkHandles(true);
    checkDescriptor(fd, 'fd');
    this.#channel.sender.sendHandleSync(fd, deadlineAfter(checkLimits(options).timeout));
  }

  /**
   * Receives a descriptor. It is close-on-exec, and the caller must close it. CPython:
   * `multiprocessing.reduction.recv_handle`.
   *
   * Rejects as `recv` does, with a system error if a message arrived instead (EBADMSG) or if this process has no number
   * left for the descriptor, which is lost then (EMFILE), and with `NotSupported` for a connection that is not duplex.
   */
  recvHandle(options?: WaitOptions): Promise<number> {
    try {
      this.#checkHandles(false);
      return this.#channel.receiver.receiveHandle(checkLimits(options), this, this.#keepAlive);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `recvHandle`, blocking. */
  recvHandleSync(options?: WaitOptions): number {
    this.#checkHandles(false);
    return this.#channel.receiver.receiveHandleSync(deadlineAfter(checkLimits(options).timeout));
  }

  /**
   * Makes another Connection for the same endpoint. The descriptor is closed with the last of them; the receives and
   * sends of all of them share one order. CPython: closest to `os.dup`.
   */
  dup(): Connection<S, R> {
    this.#checkOpen();
    return Connection.over<S, R>(this.#channel, this.#serialization);
  }

  /**
   * Closes this object. Further calls have no effect. CPython: `close()`.
   *
   * Pending receives reject with `ClosedError`. Pending sends are still written, and keep the process alive until they
   * are.
   *
   * @param options.discard Drop the pending sends instead. A message that was written in part is cut off.
   * @throws `MessagesLost`, after closing, if messages that were accepted could not be written, unless they are dropped.
   */
  close(options: { discard?: boolean | undefined } = {}): void {
    checkOptionNames(options, closeNames);
    const { discard = false } = options;
    checkBoolean(discard, 'discard');
    if (this.#closed) return;
    this.#closed = true;
    collected.unregister(this);
    const { receiver, sender } = this.#channel;
    receiver.reject(this, () => new ClosedError());
    if (!discard) sender.flush();
    const lost = sender.takeLost();
    this.#channel.removeUser(discard);
    if (lost !== undefined && !discard) throw lost;
  }

  /** Pending operations of this object keep the process alive, which is the default. */
  ref(): this {
    this.#keepAlive.on = true;
    return this;
  }

  /** Pending operations of this object no longer keep the process alive. */
  unref(): this {
    this.#keepAlive.on = false;
    return this;
  }

  /** `close()`, for `using`. CPython: `with connection`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** `close()`, for `await using`. Resolves when the pending sends have been written. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { sender } = this.#channel;
    const written = this.#closed ? undefined : sender.whenDrained();
    this.close();
    await written;
    const lost = sender.takeLost();
    if (lost !== undefined) throw lost;
  }

  /**
   * Receives objects until the end of data. Leaving the loop early does not close the Connection, and loses no data; nor
   * does `return()` of the iterator, which also ends a `next()` that waits.
   */
  [Symbol.asyncIterator](): AsyncGenerator<R, void, undefined> {
    const decoder = this.#serialization.forReceiver as MessageDecoder<R>;
    return new CallIterator(
      (options) => this.recv(options),
      isEndOfData,
      () => this.#takeNow(decoder),
    );
  }

  /** The text that console.log shows. */
  [inspect.custom](): string {
    const can = [this.readable ? 'readable' : '', this.writable ? 'writable' : ''].filter(Boolean).join(', ');
    return this.#closed ? 'Connection { closed }' : `Connection { fd: ${this.#channel.fd}, ${can} }`;
  }

  /** @internal A Connection over a channel. */
  static over<S = unknown, R = S>(channel: Channel, serialization: ChannelFormat): Connection<S, R> {
    return new Connection<S, R>(kConstruct, channel, serialization);
  }

  /** @internal The parts of a Connection. */
  static internals(connection: Connection<never, unknown>): { channel: Channel; format: ChannelFormat } {
    return { channel: connection.#channel, format: connection.#serialization };
  }

  /** @internal The channel of a Connection, which must be able to receive. */
  static channelOf(connection: Connection<never, unknown>): Channel {
    connection.#checkReadable();
    return connection.#channel;
  }

  /** @internal */
  [kReduce](exporter: Exporter): ConnectionDescriptor {
    this.#checkOpen();
    return reduceChannel(this.#channel, this.#serialization, exporter);
  }

  /** @internal */
  [kIdentity](): object {
    this.#checkOpen();
    return this.#channel;
  }

  /** @internal */
  static keepAliveOf(connection: Connection<never, unknown>): KeepAlive {
    return connection.#keepAlive;
  }

  #receive<T>(
    decoder: MessageDecoder<T>,
    operation: string,
    maxLength: unknown,
    options: WaitOptions | undefined,
  ): Promise<T> {
    try {
      this.#checkReadable();
      const wanted = checkReceive(operation, maxLength);
      return this.#channel.receiver.receive(decoder, wanted, checkLimits(options), this, this.#keepAlive);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** A message that needs neither a wait nor a call of the native layer. */
  #takeNow<T>(decoder: MessageDecoder<T>): T | typeof NOTHING {
    return this.#closed ? NOTHING : this.#channel.receiver.takeNow(decoder);
  }

  #checkBatch(
    operation: string,
    max = 1024,
    options: BatchOptions | undefined,
    names = batchNames,
  ): { decoder: MessageDecoder<R | Buffer>; wanted: BatchReceiveOptions; limits: Limits } {
    checkInteger(max, 'max', 1);
    const limits = checkLimits(options, names);
    const bytes = options?.bytes ?? false;
    checkBoolean(bytes, 'bytes');
    const decoder = bytes ? bytesDecoder : (this.#serialization.forReceiver as MessageDecoder<R>);
    return { decoder, wanted: { operation, maxLength: Infinity, max }, limits };
  }

  #receiveSync<T>(
    decoder: MessageDecoder<T>,
    operation: string,
    maxLength: unknown,
    options: WaitOptions | undefined,
  ): T {
    this.#checkReadable();
    const wanted = checkReceive(operation, maxLength);
    const deadline = deadlineAfter(checkLimits(options).timeout);
    return this.#channel.receiver.receiveSync(decoder, wanted, deadline, this.#channel.options.spinNs);
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError();
  }

  #checkReadable(): void {
    this.#checkOpen();
    if (!this.#channel.direction.readable) throw new NotReadable();
    if (this.#channel.receiver.unreadable) {
      throw new NotReadable('An earlier failure left this connection unreadable');
    }
  }

  #checkWritable(): void {
    this.#checkOpen();
    if (!this.#channel.direction.writable) throw new NotWritable();
  }

  #checkHandles(sending: boolean): void {
    if (sending) this.#checkWritable();
    else this.#checkReadable();
    if (!this.#channel.isSocket) throw new NotSupported('Descriptors can be sent over duplex connections only');
  }
}

/** CPython's spellings of three methods, which behave like the camelCase ones. */
export interface Connection<S, R> {
  /** `recvBytes` */
  recv_bytes: Connection<S, R>['recvBytes'];
  /** `sendBytes` */
  send_bytes: Connection<S, R>['sendBytes'];
  /** `recvBytesInto` */
  recv_bytes_into: Connection<S, R>['recvBytesInto'];
}

makeFair(Connection.prototype, Symbol.asyncDispose);
defineAliases(Connection.prototype);

function isEndOfData(error: unknown): boolean {
  return error instanceof EOFError;
}

function checkReceive(operation: string, maxLength: unknown): ReceiveOptions {
  if (maxLength === undefined) return { operation, maxLength: Infinity };
  checkInteger(maxLength, 'maxLength');
  return { operation, maxLength };
}
