// SPDX-License-Identifier: MIT
import { inspect } from 'node:util';

import { defineAliases } from '../core/aliases.js';
import { Channel } from './channel.js';
import { reduceChannel, type ConnectionDescriptor } from './channel-reduction.js';
import { checkOptions, narrow, type FromFdOptions } from './options.js';
import { checkLimits, deadlineAfter, type WaitOptions } from '../core/deadline.js';
import { argumentError, ClosedError, EOFError, NotReadable, NotSupported, NotWritable } from '../core/errors.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import type { ReceiveOptions } from './receiver.js';
import { ChannelSerialization } from './channel-format.js';
import { isReady, isReadySync } from './readiness.js';
import { kIdentity, kReduce } from '../reduction/registry.js';
import { makeObjectMessage, type OutgoingObjectMessage } from './object-message.js';
import { shareableMark } from '../reduction/shareable.js';
import type { Exporter } from '../reduction/transfer.js';
import { bytesDecoder, decoderInto, type MessageDecoder } from '../serialization/message-decoder.js';
import {
  checkBoolean,
  checkBytes,
  checkDescriptor,
  checkInteger,
  checkObject,
  checkRange,
  checkTimeout,
  type Bytes,
} from '../core/validate.js';

/** What `tryRecv` received, wrapped because `undefined` is a value like another. */
export interface Received<R> {
  /** The object. */
  value: R;
}

/** Key that only this module passes to the constructor. */
const kConstruct = Symbol('construct');

const mark = shareableMark('Connection');

/** Closes Connections that were collected. */
const collected = new FinalizationRegistry<Channel>((channel) => {
  channel.removeUser(false);
});

/**
 * One end of a pipe, over a real descriptor. CPython: `multiprocessing.connection.Connection`.
 *
 * `S` is the type of the objects sent, `R` that of the objects received; an end that does not send (or receive) has
 * `never` there. Every method that waits has a twin whose name ends in `Sync` and which blocks the thread. Receives are
 * served in the order in which they were asked for, sends are written in the order in which they were made, and a receive
 * or send that ends early (timeout, abort) leaves the stream intact. An object that is collected is closed.
 */
export class Connection<S = unknown, R = S> {
  readonly #channel: Channel;
  /** Shared with its `dup()`s and the other end of a Pipe. */
  readonly #serialization: ChannelSerialization;
  readonly #keepAlive = new KeepAlive();
  #closed = false;

  /** Connections are made by `Pipe` and `Connection.fromFd`. */
  private constructor(key: typeof kConstruct, channel: Channel, serialization: ChannelSerialization) {
    if (key !== kConstruct) throw argumentError('type', 'Connections are made by Pipe() and Connection.fromFd()');
    this.#channel = channel;
    this.#serialization = serialization;
    channel.addUser();
    collected.register(this, channel, this);
    Object.defineProperty(this, 'shareable', mark);
  }

  /**
   * Takes over an open descriptor, such as one inherited from the parent process. CPython: `Connection(handle)`.
   *
   * From now on the Connection owns it, makes it close-on-exec and closes it. Its directions are found out from the
   * descriptor; `readable` and `writable` can only narrow them.
   *
   * @throws RangeError for the standard streams 0 to 2, TypeError for what is not a pipe or a connected stream socket,
   *   `BusyError` for a descriptor that already belongs to a Connection, a system error (EBADF) for one that is not open.
   */
  static fromFd<S = unknown, R = S>(fd: number, options: FromFdOptions = {}): Connection<S, R> {
    checkInteger(fd, 'fd', 3, 0x7fffffff);
    const channelOptions = checkOptions(options, false);
    const serialization = new ChannelSerialization(options.serialization, true);
    return Connection.over<S, R>(
      Channel.adopt(fd, channelOptions, (can) => narrow(options, can)),
      serialization,
    );
  }

  /** Whether this end receives. False, too, after a failure that left the stream out of step. CPython: `readable`. */
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
   * The descriptor's number, for handing it to a child process. What was sent is written first, as far as there is room,
   * and from now on nothing is read ahead. CPython: `fileno()`.
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
   * It is serialised and, if there is room, written before this returns; the promise resolves when the kernel has all of it.
   * Rejects with `PicklingError`, `ClosedError`, `NotWritable`, `TimeoutError`, an AbortError, or a system error
   * (EPIPE when nobody has the other end).
   */
  send(value: S, options?: WaitOptions): Promise<void> {
    try {
      this.#checkWritable();
      const limits = checkLimits(options);
      const bytes = this.#encode(value);
      if (!(bytes instanceof Uint8Array)) return this.#channel.sender.sendParcel(bytes, limits, this.#keepAlive);
      return this.#channel.sender.send(bytes, 0, bytes.byteLength, 'send', limits, this.#keepAlive);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `send`, blocking. */
  sendSync(value: S, options?: WaitOptions): void {
    this.#checkWritable();
    const deadline = deadlineAfter(checkLimits(options).timeout);
    const bytes = this.#encode(value);
    if (!(bytes instanceof Uint8Array)) {
      this.#channel.sender.sendParcelSync(bytes, deadline);
      return;
    }
    this.#channel.sender.sendSync(bytes, 0, bytes.byteLength, 'sendSync', deadline);
  }

  /**
   * Sends bytes as one message. CPython: `send_bytes(buffer, offset, size)`.
   *
   * When this returns, up to 64 KiB of the message have been written or copied. The rest of a longer one is read from
   * `buffer` until the promise resolves, so it must not change before.
   *
   * @param offset Where the message begins in `buffer`, in bytes.
   * @param size Its length in bytes. Default: to the end.
   * Rejects as `send` does, and with TypeError or RangeError for arguments that do not fit.
   */
  sendBytes(buffer: Bytes, offset = 0, size?: number, options?: WaitOptions): Promise<void> {
    try {
      this.#checkWritable();
      const data = checkBytes(buffer, 'buffer');
      const length = checkRange(offset, size, data.byteLength);
      return this.#channel.sender.send(data, offset, length, 'sendBytes', checkLimits(options), this.#keepAlive);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `sendBytes`, blocking. */
  sendBytesSync(buffer: Bytes, offset = 0, size?: number, options?: WaitOptions): void {
    this.#checkWritable();
    const data = checkBytes(buffer, 'buffer');
    const length = checkRange(offset, size, data.byteLength);
    const deadline = deadlineAfter(checkLimits(options).timeout);
    this.#channel.sender.sendSync(data, offset, length, 'sendBytesSync', deadline);
  }

  /**
   * Receives one object. CPython: `recv()`.
   *
   * Rejects with `EOFError` when the other end is closed everywhere and nothing is left, `TruncatedMessageError`,
   * `BadMessageLength`, `UnpicklingError`, `ClosedError`, `NotReadable`, `TimeoutError`, an AbortError, or a system error.
   */
  recv(options?: WaitOptions): Promise<R> {
    return this.#receive(this.#serialization.forReceiver as MessageDecoder<R>, 'recv', undefined, options);
  }

  /** As `recv`, blocking. */
  recvSync(options?: WaitOptions): R {
    return this.#receiveSync(this.#serialization.forReceiver as MessageDecoder<R>, 'recvSync', undefined, options);
  }

  /**
   * Receives one message. CPython: `recv_bytes(maxlength)`.
   *
   * @param maxLength Longest message accepted, in bytes. After a longer one (`BadMessageLength`) nothing more can be
   *   received, as in CPython; sending still works.
   * @returns A Buffer of its own. Rejects as `recv` does.
   */
  recvBytes(maxLength?: number, options?: WaitOptions): Promise<Buffer> {
    return this.#receive(bytesDecoder, 'recvBytes', maxLength, options);
  }

  /** As `recvBytes`, blocking. */
  recvBytesSync(maxLength?: number, options?: WaitOptions): Buffer {
    return this.#receiveSync(bytesDecoder, 'recvBytesSync', maxLength, options);
  }

  /**
   * Receives one message into existing memory and resolves to its length in bytes. CPython: `recv_bytes_into(buffer, offset)`.
   *
   * @param offset Where in `buffer` the message is to begin, in bytes.
   * Rejects as `recv` does, and with `BufferTooShort`, which carries the whole message, if it does not fit.
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
   * Receives one object if a whole message is there, without waiting; undefined if not. No CPython counterpart.
   *
   * @throws as `recv` rejects.
   */
  tryRecv(): Received<R> | undefined {
    this.#checkReadable();
    return this.#channel.receiver.tryReceive(this.#serialization.forReceiver as MessageDecoder<R>, {
      operation: 'tryRecv',
      maxLength: Infinity,
    });
  }

  /** Receives one message if it is there whole, without waiting; undefined if not. */
  tryRecvBytes(): Buffer | undefined {
    this.#checkReadable();
    return this.#channel.receiver.tryReceive(bytesDecoder, { operation: 'tryRecvBytes', maxLength: Infinity })?.value;
  }

  /**
   * Whether there is something to receive, an end of data included. CPython: `poll(timeout)`.
   *
   * @param timeout Milliseconds to wait for it. Omitted: answer at once; null: wait for ever.
   * Rejects with `ClosedError` or `NotReadable`.
   */
  async poll(timeout?: number | null): Promise<boolean> {
    this.#checkReadable();
    const limit = timeout === undefined ? 0 : checkTimeout(timeout);
    return isReady(() => Connection.channelOf(this), limit, this.#keepAlive);
  }

  /** As `poll`, blocking. */
  pollSync(timeout?: number | null): boolean {
    this.#checkReadable();
    const limit = timeout === undefined ? 0 : checkTimeout(timeout);
    return isReadySync(this.#channel, limit);
  }

  /**
   * Sends a copy of an open descriptor to the process at the other end. CPython: `multiprocessing.reduction.send_handle`.
   *
   * It is not a message: the other side must expect it at this point of the stream, with `recvHandle`. Duplex only.
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
   * Receives a descriptor, which is close-on-exec and the caller's to close. CPython: `multiprocessing.reduction.recv_handle`.
   *
   * Rejects with a system error (EBADMSG) if a message came instead. Duplex only.
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
   * One more Connection for the same endpoint. The descriptor is closed when the last of them is; receives and sends of
   * all of them share one order. CPython: `os.dup` comes nearest.
   */
  dup(): Connection<S, R> {
    this.#checkOpen();
    return Connection.over<S, R>(this.#channel, this.#serialization);
  }

  /**
   * Closes this object; doing so again changes nothing. CPython: `close()`.
   *
   * Pending receives reject with `ClosedError`. What was sent is still written, and keeps the process alive until it is.
   *
   * @param options.discard Drop what was not written yet instead. A message written in part is cut off.
   */
  close(options: { discard?: boolean | undefined } = {}): void {
    checkObject(options, 'options');
    const { discard = false } = options;
    checkBoolean(discard, 'discard');
    if (this.#closed) return;
    this.#closed = true;
    collected.unregister(this);
    this.#channel.receiver.reject(this, () => new ClosedError());
    this.#channel.removeUser(discard);
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

  /** Closes, and resolves when what was sent has been written, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { sender } = this.#channel;
    const written = this.#closed ? undefined : sender.whenDrained();
    this.close();
    await written;
  }

  /** Receives objects until the end of data. Leaving the loop early closes nothing and loses nothing. */
  async *[Symbol.asyncIterator](): AsyncGenerator<R, void, undefined> {
    for (;;) {
      let value: R;
      try {
        value = await this.recv();
      } catch (error) {
        if (error instanceof EOFError) return;
        throw error;
      }
      yield value;
    }
  }

  /** What console.log shows. */
  [inspect.custom](): string {
    const can = [this.readable ? 'readable' : '', this.writable ? 'writable' : ''].filter(Boolean).join(', ');
    return this.#closed ? 'Connection { closed }' : `Connection { fd: ${this.#channel.fd}, ${can} }`;
  }

  /** @internal A Connection over a channel. */
  static over<S = unknown, R = S>(channel: Channel, serialization: ChannelSerialization): Connection<S, R> {
    return new Connection<S, R>(kConstruct, channel, serialization);
  }

  /** @internal What a Connection consists of. */
  static internals(connection: Connection<never, unknown>): { channel: Channel; format: ChannelSerialization } {
    return { channel: connection.#channel, format: connection.#serialization };
  }

  /** @internal The channel of a Connection that receives. */
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
    this.fileno();
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

  /** The message of an object, one with descriptors if objects of this package are in it. */
  #encode(value: S): Uint8Array | OutgoingObjectMessage {
    try {
      return this.#serialization.encode(value);
    } catch (error) {
      if (!(error instanceof NotSupported) || !this.#serialization.fix('structured')) throw error;
      if (!this.#channel.isSocket) {
        throw new NotSupported('Objects of this package travel over duplex connections only', { cause: error });
      }
      return makeObjectMessage(value);
    }
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
    if (!this.#channel.isSocket) throw new NotSupported('Descriptors travel over duplex connections only');
  }
}

/** CPython's own spellings of three methods. Their behaviour is that of the camelCase ones. */
export interface Connection<S, R> {
  /** `recvBytes` */
  recv_bytes: Connection<S, R>['recvBytes'];
  /** `sendBytes` */
  send_bytes: Connection<S, R>['sendBytes'];
  /** `recvBytesInto` */
  recv_bytes_into: Connection<S, R>['recvBytesInto'];
}

defineAliases(Connection.prototype);

function checkReceive(operation: string, maxLength: unknown): ReceiveOptions {
  if (maxLength === undefined) return { operation, maxLength: Infinity };
  checkInteger(maxLength, 'maxLength');
  return { operation, maxLength };
}
