// SPDX-License-Identifier: MIT
//
// The sending half of a channel. The native layer holds the bytes that wait, and numbers their messages. This class holds the
// calls that wait for them, in the order of the numbers, and the callers' memory that long messages are still read from.
import { isLimited, millisecondsLeft, type Limits } from '../../core/deadline.js';
import { ClosedError, InterruptedError, NotWritable, systemError, TimeoutError } from '../../core/errors.js';
import { sendError } from '../../core/status-errors.js';
import { Fifo } from '../../core/fifo.js';
import { native } from '../../native/addon.js';
import type { KeepAlive } from '../../event-loop/keep-alive.js';
import { BYTES_PER_TURN, takeTurn } from '../../event-loop/reactor.js';
import {
  blockOn,
  checkInterrupted,
  flushUnwritten,
  listensForSignals,
  unwritten,
  writeNowIfExiting,
  type Writer,
} from '../../event-loop/sync-wait.js';
import { BlockingSend, descriptorEntry, PendingSend, type MessageGroup, type QueuedEntry } from './message-group.js';
import type { OutgoingObjectMessage } from '../object-message.js';
import type { SendBuffer } from './send-buffer.js';
import { TickBatch, type BatchOwner } from './tick-batch.js';

const codes = native.status;

/** How much of a message is copied when it has to wait; the rest is read from the caller's memory. */
const COPIED_BYTES = native.copiedBytes;

/** The bytes of a message's header, unless the message is longer than 2 GiB. */
const HEADER_BYTES = 4;

/** What the native layer returns for a message that was taken back. */
const WITHDRAWN = 1;
const none: readonly number[] = [];
const resolved = Promise.resolve();

/** What a sender asks of its channel. */
export interface SenderOwner {
  /** Asks the channel to call `flush` when there may be room. */
  wantWrite(): void;
  /** Tells the channel that nothing waits any more. */
  drained(): void;
}

export class Sender implements Writer, BatchOwner {
  readonly id: number;
  readonly #channel: SenderOwner;
  readonly #buffer: SendBuffer;
  readonly #waiting = new Fifo<QueuedEntry>();
  /** Those of them whose memory is borrowed. */
  readonly #borrowers = new Fifo<QueuedEntry>();
  readonly #batch = new TickBatch(this);
  #blocked = false;
  #drainWaiters: (() => void)[] | undefined;
  /** Set when a message could not be finished after it was begun: the peer cannot find the next one. */
  #broken = false;

  constructor(id: number, channel: SenderOwner, buffer: SendBuffer) {
    this.id = id;
    this.#buffer = buffer;
    this.#channel = channel;
  }

  get pending(): boolean {
    return this.#waiting.length > 0;
  }

  /** Whether the kernel has no room. */
  get blocked(): boolean {
    return this.#blocked;
  }

  send(
    data: Uint8Array,
    offset: number,
    size: number,
    operation: string,
    limits: Limits,
    keepAlive: KeepAlive,
  ): Promise<void> {
    if (this.#broken) return Promise.reject(this.#brokenError());
    this.#buffer.prepare(size);
    if (this.#waiting.length === 0 && !this.#batch.gathering && takeTurn()) {
      const status = native.send(this.id, data, offset, size);
      if (status === 0) {
        this.#batch.begin();
        return Promise.resolve();
      }
      if (status < 0) return Promise.reject(sendError(status, operation));
      const rest = this.#wait(data, offset, size, operation, limits, keepAlive, status);
      this.#setBlocked();
      return rest;
    }
    const number = native.append(this.id, data, offset, size);
    if (number < 0) return Promise.reject(sendError(number, operation));
    const sent = this.#wait(data, offset, size, operation, limits, keepAlive, number);
    if (!this.#blocked) this.#batch.add(HEADER_BYTES + size);
    return sent;
  }

  /** Sends bytes that are not a message. The other side has to find their end by itself. */
  sendUnframed(data: Uint8Array, keepAlive: KeepAlive): Promise<void> {
    const number = native.appendUnframed(this.id, data);
    if (number < 0) return Promise.reject(systemError(number, 'write'));
    const limits = { timeout: Infinity, signal: undefined };
    const sent = this.#wait(data, 0, data.byteLength, 'start', limits, keepAlive, number);
    if (!this.#blocked) this.flush();
    return sent;
  }

  sendHandle(fd: number, limits: Limits, keepAlive: KeepAlive): Promise<void> {
    if (this.#broken) return Promise.reject(this.#brokenError());
    const number = native.appendDescriptor(this.id, fd);
    if (number < 0) return Promise.reject(systemError(number, 'sendmsg'));
    const sent = this.#wait(undefined, 0, 0, 'sendHandle', limits, keepAlive, number);
    if (!this.#blocked) this.flush();
    return sent;
  }

  /** Sends a message and the descriptors behind it, between which nothing may come. */
  sendObjectMessage(message: OutgoingObjectMessage, limits: Limits, keepAlive: KeepAlive): Promise<void> {
    const numbers = this.#appendObjectMessage(message);
    if (numbers instanceof Error) return Promise.reject(numbers);
    const { bytes, failed } = message;
    const [number, ...followers] = numbers;
    const sent = this.#wait(bytes, 0, bytes.length, 'send', limits, keepAlive, number, followers);
    sent.catch((error: unknown) => {
      if ((error as { begun?: boolean }).begun !== true) failed();
    });
    if (!this.#blocked) this.flush();
    return sent;
  }

  sendObjectMessageSync(message: OutgoingObjectMessage, deadline: number): void {
    this.#drainSync('sendSync', deadline);
    const numbers = this.#appendObjectMessage(message);
    if (numbers instanceof Error) throw numbers;
    const { bytes, failed } = message;
    const [number, ...followers] = numbers;
    try {
      this.#finishSync(bytes, 0, bytes.length, 'sendSync', deadline, number, followers);
    } catch (error) {
      if ((error as { begun?: boolean }).begun !== true) failed();
      throw error;
    }
  }

  sendSync(data: Uint8Array, offset: number, size: number, operation: string, deadline: number): void {
    this.#drainSync(operation, deadline);
    if (this.#broken) throw this.#brokenError();
    this.#buffer.prepare(size);
    const status = native.send(this.id, data, offset, size);
    if (status < 0) throw sendError(status, operation);
    if (status > 0) this.#finishSync(data, offset, size, operation, deadline, status);
  }

  sendHandleSync(fd: number, deadline: number): void {
    this.#drainSync('sendHandleSync', deadline);
    if (this.#broken) throw this.#brokenError();
    const number = native.appendDescriptor(this.id, fd);
    if (number < 0) throw systemError(number, 'sendmsg');
    this.#finishSync(undefined, 0, 0, 'sendHandleSync', deadline, number);
  }

  /** Writes what waits, as far as there is room and one turn of the event loop allows. */
  flush(): void {
    this.#blocked = false;
    if (this.#waiting.length === 0) return;
    const borrower = this.#borrowers.first;
    const done = native.flush(this.id, borrower?.borrowed, borrower?.offset ?? 0, borrower?.size ?? 0, BYTES_PER_TURN);
    if (done > 0) this.#complete(done);
    else if (done < 0 && done !== codes.again) this.#failWrite(done);
    if (this.#waiting.length > 0) this.#setBlocked();
  }

  /** Resolves when nothing waits any more, whether it was written or has failed. */
  whenDrained(): Promise<void> {
    if (!this.pending) return resolved;
    return new Promise((resolve) => (this.#drainWaiters ??= []).push(resolve));
  }

  /** Drops what waits, without writing it. */
  discard(): void {
    this.#failAll(() => new ClosedError(), true);
  }

  /** Ends all sends. */
  fail(error: Error): void {
    this.#failAll(() => error);
  }

  #wait(
    borrowed: Uint8Array | undefined,
    offset: number,
    size: number,
    operation: string,
    limits: Limits,
    keepAlive: KeepAlive,
    number: number,
    followers = none,
  ): Promise<void> {
    const call = new PendingSend(keepAlive);
    const entry = this.#enqueue(borrowed, offset, size, call, number, followers);
    if (isLimited(limits)) this.#limit(call, entry, operation, limits);
    writeNowIfExiting();
    return call.promise;
  }

  #limit(call: PendingSend, entry: QueuedEntry, operation: string, limits: Limits): void {
    const timeoutError = (): Error => new TimeoutError(operation);
    call.limit(limits, timeoutError, (error) => {
      const status = this.#withdraw(entry);
      const begun = status !== WITHDRAWN;
      call.reject(error instanceof TimeoutError ? new TimeoutError(operation, begun) : Object.assign(error, { begun }));
      if (status < 0) this.#breakOff();
    });
  }

  /** Puts an object message in line natively, whole or not at all. Returns the numbers of the message and of its descriptors. */
  #appendObjectMessage(message: OutgoingObjectMessage): [number, ...number[]] | Error {
    const appended = this.#broken ? this.#brokenError() : this.#tryAppendObjectMessage(message);
    if (appended instanceof Error) message.failed();
    return appended;
  }

  #tryAppendObjectMessage({ bytes, fds }: OutgoingObjectMessage): [number, ...number[]] | Error {
    const first = native.append(this.id, bytes, 0, bytes.length);
    if (first < 0) return sendError(first, 'send');
    const numbers: [number, ...number[]] = [first];
    for (const fd of fds) {
      const number = native.appendDescriptor(this.id, fd);
      if (number >= 0) {
        numbers.push(number);
        continue;
      }
      // Nothing was written since, so all of it can be taken back.
      for (const appended of numbers) native.withdraw(this.id, appended, bytes, 0, bytes.length);
      return systemError(number, 'sendmsg');
    }
    return numbers;
  }

  /** Puts a message in line that the native layer has in line already, with the descriptors that belong to it. */
  #enqueue(
    borrowed: Uint8Array | undefined,
    offset: number,
    size: number,
    group: MessageGroup,
    number: number,
    followers: readonly number[],
  ): QueuedEntry {
    const entry: QueuedEntry = { number, borrowed: size > COPIED_BYTES ? borrowed : undefined, offset, size, group };
    this.#waiting.push(entry);
    if (entry.borrowed !== undefined) this.#borrowers.push(entry);
    if (followers.length > 0) {
      group.remaining += followers.length;
      entry.followers = followers.map((follower) => descriptorEntry(follower, group));
      for (const follower of entry.followers) this.#waiting.push(follower);
    }
    unwritten.add(this);
    return entry;
  }

  /**
   * Takes a message back, with its descriptors: `WITHDRAWN`. Of a message that was begun the rest is written from a copy: 0.
   * A negative result says that there is no copy, so the caller must break off.
   */
  #withdraw(entry: QueuedEntry): number {
    const status = this.#withdrawEntry(entry);
    // Nothing of a message that was not begun is written, so nothing of its descriptors is either.
    if (status === WITHDRAWN) for (const follower of entry.followers ?? []) this.#withdrawEntry(follower);
    return status;
  }

  #withdrawEntry(entry: QueuedEntry): number {
    const status = native.withdraw(this.id, entry.number, entry.borrowed, entry.offset, entry.size);
    this.#borrowers.remove(entry);
    if (status === WITHDRAWN) {
      this.#waiting.remove(entry);
      this.#checkDrained();
    } else {
      // It keeps its place in the order.
      entry.borrowed = undefined;
    }
    return status;
  }

  #setBlocked(): void {
    this.#blocked = true;
    this.#channel.wantWrite();
  }

  #complete(count: number): void {
    for (let i = 0; i < count; i++) {
      const entry = this.#waiting.shift();
      if (entry === undefined) break;
      if (entry.borrowed !== undefined) this.#borrowers.shift();
      if (--entry.group.remaining === 0) entry.group.settle();
    }
    this.#checkDrained();
  }

  #checkDrained(): void {
    if (this.#waiting.length > 0) return;
    unwritten.delete(this);
    for (const resolve of this.#drainWaiters ?? []) resolve();
    this.#drainWaiters = undefined;
    this.#channel.drained();
  }

  /** Deals with a failed write. */
  #failWrite(status: number): void {
    const borrower = this.#borrowers.first;
    if (status !== codes.bufferChanged || borrower === undefined) {
      this.#failAll(() => sendError(status, 'send'));
      return;
    }
    const withdrawn = this.#withdraw(borrower) === WITHDRAWN;
    borrower.group.settle(sendError(status, 'send'));
    if (!withdrawn) this.#breakOff();
  }

  #breakOff(): void {
    this.#broken = true;
    this.#failAll(() => this.#brokenError());
  }

  #brokenError(): Error {
    return new NotWritable('A buffer was detached while its message was being sent; nothing more can be sent');
  }

  #failAll(makeError: () => Error, silently = false): void {
    native.dropPending(this.id);
    this.#blocked = false;
    this.#borrowers.removeAll();
    for (const { group } of this.#waiting.removeAll()) {
      // The caller has asked for the messages to be dropped, so it need not listen for their failure.
      if (silently) group.promise?.catch(() => undefined);
      group.settle(makeError());
    }
    this.#checkDrained();
  }

  /** Writes everything that was accepted before, since messages keep their order. */
  #drainSync(operation: string, deadline: number): void {
    flushUnwritten();
    while (this.#waiting.length > 0) this.#writeFirstSync(operation, deadline);
  }

  #finishSync(
    borrowed: Uint8Array | undefined,
    offset: number,
    size: number,
    operation: string,
    deadline: number,
    number: number,
    followers = none,
  ): void {
    const call = new BlockingSend();
    const entry = this.#enqueue(borrowed, offset, size, call, number, followers);
    try {
      while (!call.settled) this.#writeFirstSync(operation, deadline);
    } catch (error) {
      const status = this.#withdraw(entry);
      if (status < 0) this.#breakOff();
      const begun = status !== WITHDRAWN;
      if (begun && !this.#blocked) this.#setBlocked();
      if (error instanceof TimeoutError) throw new TimeoutError(operation, begun);
      if (error instanceof InterruptedError) throw new InterruptedError(operation, begun);
      throw error;
    }
    if (call.error !== undefined) throw call.error;
  }

  #writeFirstSync(operation: string, deadline: number): void {
    // Other channels go on writing too: the peer may wait for their messages before it reads this one.
    if (unwritten.size > 1) {
      const { expired } = blockOn([], deadline, operation);
      if (expired) throw new TimeoutError(operation);
      return;
    }
    const borrower = this.#borrowers.first;
    const left = millisecondsLeft(deadline);
    const quiet = deadline === Infinity && !listensForSignals();
    const done = native.flushSync(this.id, borrower?.borrowed, borrower?.offset ?? 0, borrower?.size ?? 0, left, quiet);
    if (done >= 0) {
      this.#complete(done);
    } else if (done === codes.timedOut) {
      throw new TimeoutError(operation);
    } else if (done === codes.interrupted) {
      checkInterrupted(done, operation);
    } else if (done === codes.canceled) {
      throw sendError(done, operation);
    } else {
      this.#failWrite(done);
    }
  }
}
