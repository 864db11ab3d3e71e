// SPDX-License-Identifier: MIT
//
// The sending half of a channel. The native layer holds the bytes that wait; this class holds, in the same order, who
// waits for them, and the callers' memory that long messages are still read from.
import { millisecondsLeft, startLimits, type Limits } from '../core/deadline.js';
import { ClosedError, InterruptedError, NotWritable, sendError, systemError, TimeoutError } from '../core/errors.js';
import { Fifo } from '../core/fifo.js';
import { native } from '../native/addon.js';
import {
  blockOn,
  checkInterrupted,
  flushUnwritten,
  listensForSignals,
  takeTurn,
  unwritten,
  writeNowIfExiting,
  type Hold,
  type Writer,
} from '../event-loop/reactor.js';
import type { OutgoingObjectMessage } from './object-message.js';

const codes = native.status;

/** So much of a message is copied when it has to wait; the rest is read from the caller's memory. */
const COPIED_BYTES = native.copiedBytes;

/** How much is written in one turn of the event loop. */
const BUDGET = 256 * 1024;

/** Messages of one tick are gathered up to this size before they are written. */
const GATHERED_BYTES = 64 * 1024;

interface Waiting {
  /** The caller's memory, while a part of the message is still read from it. */
  lent: Uint8Array | undefined;
  readonly offset: number;
  readonly size: number;
  /** Descriptors that belong to the message. */
  followers?: readonly Waiting[];
  /** What the caller was given, if anything. */
  promise?: Promise<void>;
  written(): void;
  fail(error: Error): void;
}

function ignore(): void {
  // Nobody waits: a Sync call looks for itself, and a call that gave up has its answer.
}

const resolved = Promise.resolve();

/** What a sender asks of its channel. */
export interface SenderOwner {
  /** To call `flush` when there may be room. */
  wantWrite(): void;
  /** Nothing waits any more. */
  drained(): void;
}

export class Sender implements Writer {
  readonly id: number;
  readonly #channel: SenderOwner;
  readonly #waiting = new Fifo<Waiting>();
  /** Those of them that lend memory. */
  readonly #lenders = new Fifo<Waiting>();
  /** Set while a message of this tick has been written and later ones are gathered. */
  #gathering = false;
  /** Set while the kernel has no room. */
  #blocked = false;
  #immediate = false;
  /** How often this tick's messages were written before its end. */
  #early = 0;
  #drainWaiters: (() => void)[] | undefined;
  /** Set when a message could not be finished after it was begun: the peer cannot find the next one. */
  #broken = false;

  constructor(id: number, channel: SenderOwner) {
    this.id = id;
    this.#channel = channel;
  }

  get pending(): boolean {
    return this.#waiting.length > 0;
  }

  send(data: Uint8Array, offset: number, size: number, operation: string, limits: Limits, hold: Hold): Promise<void> {
    if (this.#broken) return Promise.reject(this.#brokenError());
    if (this.#waiting.length === 0 && !this.#gathering && takeTurn()) {
      const status = native.send(this.id, data, offset, size);
      if (status === 0) {
        this.#gather();
        return Promise.resolve();
      }
      if (status < 0) return Promise.reject(sendError(status, operation));
      const rest = this.#wait(data, offset, size, operation, limits, hold);
      this.#setBlocked();
      return rest;
    }
    const bytes = native.append(this.id, data, offset, size);
    if (bytes < 0) return Promise.reject(sendError(bytes, operation));
    const sent = this.#wait(data, offset, size, operation, limits, hold);
    if (!this.#blocked) this.#flushLater(bytes);
    return sent;
  }

  /** Bytes that are not a message. Their end the other side has to find by itself. */
  sendUnframed(data: Uint8Array, hold: Hold): Promise<void> {
    const status = native.appendUnframed(this.id, data);
    if (status < 0) return Promise.reject(systemError(status, 'write'));
    const lent = data.byteLength > COPIED_BYTES ? data : undefined;
    const limits = { timeout: Infinity, signal: undefined };
    const sent = this.#wait(lent, 0, data.byteLength, 'start', limits, hold);
    if (!this.#blocked) this.flush();
    return sent;
  }

  sendHandle(fd: number, limits: Limits, hold: Hold): Promise<void> {
    if (this.#broken) return Promise.reject(this.#brokenError());
    const status = native.appendDescriptor(this.id, fd);
    if (status < 0) return Promise.reject(systemError(status, 'sendmsg'));
    const sent = this.#wait(undefined, 0, 0, 'sendHandle', limits, hold);
    if (!this.#blocked) this.flush();
    return sent;
  }

  /** Sends a message and the descriptors behind it, between which nothing may come. */
  sendParcel(packed: OutgoingObjectMessage, limits: Limits, hold: Hold): Promise<void> {
    const refused = this.#appendParcel(packed);
    if (refused !== undefined) return Promise.reject(refused);
    const { bytes, fds, failed } = packed;
    const sent = this.#wait(bytes, 0, bytes.length, 'send', limits, hold, fds.length);
    sent.catch((error: unknown) => {
      if ((error as { begun?: boolean }).begun !== true) failed();
    });
    if (!this.#blocked) this.flush();
    return sent;
  }

  sendParcelSync(packed: OutgoingObjectMessage, deadline: number): void {
    this.#drainSync('sendSync', deadline);
    const refused = this.#appendParcel(packed);
    if (refused !== undefined) throw refused;
    const { bytes, fds, failed } = packed;
    try {
      this.#finishSync(bytes, 0, bytes.length, 'sendSync', deadline, fds.length);
    } catch (error) {
      if ((error as { begun?: boolean }).begun !== true) failed();
      throw error;
    }
  }

  sendSync(data: Uint8Array, offset: number, size: number, operation: string, deadline: number): void {
    this.#drainSync(operation, deadline);
    if (this.#broken) throw this.#brokenError();
    const status = native.send(this.id, data, offset, size);
    if (status < 0) throw sendError(status, operation);
    if (status > 0) this.#finishSync(data, offset, size, operation, deadline);
  }

  sendHandleSync(fd: number, deadline: number): void {
    this.#drainSync('sendHandleSync', deadline);
    if (this.#broken) throw this.#brokenError();
    const status = native.appendDescriptor(this.id, fd);
    if (status < 0) throw systemError(status, 'sendmsg');
    this.#finishSync(undefined, 0, 0, 'sendHandleSync', deadline);
  }

  /** Writes what waits as far as there is room, at most one piece: the rest has to wait for a turn of the event loop. */
  flush(): void {
    this.#blocked = false;
    if (this.#waiting.length === 0) return;
    const lender = this.#lenders.first;
    const done = native.flush(this.id, lender?.lent, lender?.offset ?? 0, lender?.size ?? 0, BUDGET);
    if (done > 0) this.#complete(done);
    else if (done < 0 && done !== codes.again) this.#failWrite(done);
    if (this.#waiting.length > 0) this.#setBlocked();
  }

  /** Resolves when nothing waits any more, whether it was written or failed. */
  whenDrained(): Promise<void> {
    if (!this.pending) return resolved;
    return new Promise((resolve) => (this.#drainWaiters ??= []).push(resolve));
  }

  /** Gives up what waits, without writing it. Nobody has to listen: dropping it was asked for. */
  discard(): void {
    this.#failAll(() => new ClosedError(), true);
  }

  /** Ends all sends. */
  fail(error: Error): void {
    this.#failAll(() => error);
  }

  #wait(
    lent: Uint8Array | undefined,
    offset: number,
    size: number,
    operation: string,
    limits: Limits,
    hold: Hold,
    descriptors = 0,
  ): Promise<void> {
    const waiting: Waiting = { lent, offset, size, written: ignore, fail: ignore };
    waiting.promise = new Promise((resolve, reject) => {
      hold.begin();
      let cancel = ignore;
      const settle = (): void => {
        cancel();
        hold.end();
      };
      waiting.written = () => {
        settle();
        resolve();
      };
      waiting.fail = (error) => {
        settle();
        reject(error);
      };
      this.#enqueue(waiting, descriptors);
      if (limits.signal === undefined && limits.timeout === Infinity) return;
      const timeoutError = (): Error => new TimeoutError(operation);
      cancel = startLimits(limits, hold.on, timeoutError, (error) => {
        const begun = !this.#withdraw(waiting);
        hold.end();
        reject(error instanceof TimeoutError ? new TimeoutError(operation, begun) : Object.assign(error, { begun }));
      });
    });
    writeNowIfExiting();
    return waiting.promise;
  }

  /** Puts a parcel in line natively, whole or not at all. */
  #appendParcel(packed: OutgoingObjectMessage): Error | undefined {
    const refused = this.#broken ? this.#brokenError() : this.#tryAppendParcel(packed);
    if (refused !== undefined) packed.failed();
    return refused;
  }

  #tryAppendParcel({ bytes, fds }: OutgoingObjectMessage): Error | undefined {
    const appended = native.append(this.id, bytes, 0, bytes.length);
    if (appended < 0) return sendError(appended, 'send');
    for (const [i, fd] of fds.entries()) {
      const status = native.appendDescriptor(this.id, fd);
      if (status >= 0) continue;
      // Nothing was written since, so all of it can be taken back, the last one first.
      for (let last = i; last >= 0; last--) {
        native.withdraw(this.id, this.#waiting.length + last, bytes, 0, bytes.length);
      }
      return systemError(status, 'sendmsg');
    }
    return undefined;
  }

  /** Those who ask are told when the last of the descriptors behind the message is written too. */
  #enqueue(waiting: Waiting, descriptors: number): void {
    if (waiting.size <= COPIED_BYTES) waiting.lent = undefined;
    this.#waiting.push(waiting);
    if (waiting.lent !== undefined) this.#lenders.push(waiting);
    unwritten.add(this);
    if (descriptors === 0) return;
    const { written, fail } = waiting;
    waiting.written = ignore;
    waiting.followers = Array.from({ length: descriptors }, () => {
      // A failure is told to each of them, after the message if that was not written either.
      const tell = (error: Error): void => {
        if (waiting.fail !== ignore) fail(error);
        waiting.fail = ignore;
      };
      return { lent: undefined, offset: 0, size: 0, written: ignore, fail: tell };
    });
    waiting.fail = (error) => {
      waiting.fail = ignore;
      fail(error);
    };
    (waiting.followers.at(-1) as Waiting).written = written;
    for (const follower of waiting.followers) this.#waiting.push(follower);
  }

  /** True if nothing of the message will be written. Otherwise the rest of it still is, from a copy. */
  #withdraw(waiting: Waiting): boolean {
    const followers = waiting.followers ?? [];
    if (this.#withdrawOne(waiting)) {
      for (const follower of followers) this.#withdrawOne(follower);
      return true;
    }
    for (const follower of followers) follower.written = follower.fail = ignore;
    return false;
  }

  #withdrawOne(waiting: Waiting): boolean {
    const index = this.#waiting.indexOf(waiting);
    if (index < 0) return false;
    const status = native.withdraw(this.id, index, waiting.lent, waiting.offset, waiting.size);
    this.#lenders.remove(waiting);
    if (status === 1) {
      this.#waiting.remove(waiting);
      this.#checkDrained();
      return true;
    }
    // Whoever waited for it does so no longer, but its place in the order remains.
    this.#waiting.replace(waiting, { lent: undefined, offset: 0, size: waiting.size, written: ignore, fail: ignore });
    if (status < 0) this.#breakOff();
    return false;
  }

  /** Later messages of this tick are written together. The first one went at once, so nothing waits for company. */
  #gather(): void {
    this.#gathering = true;
    void resolved.then(() => {
      this.#gathering = false;
      this.#endTick();
    });
  }

  /** After a message was added behind others: it is written at the end of the tick, or when enough has gathered. */
  #flushLater(bytes: number): void {
    if (!this.#gathering && !this.#immediate) {
      this.#immediate = true;
      setImmediate(() => {
        this.#immediate = false;
        this.#endTick();
      });
    }
    if (bytes >= GATHERED_BYTES && this.#early < BUDGET / GATHERED_BYTES) {
      this.#early++;
      this.flush();
    }
  }

  #endTick(): void {
    this.#early = 0;
    if (!this.#blocked) this.flush();
  }

  #setBlocked(): void {
    this.#blocked = true;
    this.#channel.wantWrite();
  }

  #complete(count: number): void {
    for (let i = 0; i < count; i++) {
      const waiting = this.#waiting.shift();
      if (waiting?.lent !== undefined) this.#lenders.shift();
      waiting?.written();
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
    const lender = this.#lenders.first;
    if (status !== codes.bufferChanged || lender === undefined) {
      this.#failAll(() => sendError(status, 'send'));
    } else if (this.#withdraw(lender)) {
      lender.fail(sendError(status, 'send'));
    } else {
      lender.fail(sendError(status, 'send'));
      this.#breakOff();
    }
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
    this.#lenders.removeAll();
    for (const waiting of this.#waiting.removeAll()) {
      if (silently) waiting.promise?.catch(ignore);
      waiting.fail(makeError());
    }
    this.#checkDrained();
  }

  /** Writes everything accepted earlier, here before anything else, since messages keep their order. */
  #drainSync(operation: string, deadline: number): void {
    flushUnwritten();
    while (this.#waiting.length > 0) this.#writeFirstSync(operation, deadline);
  }

  #finishSync(
    lent: Uint8Array | undefined,
    offset: number,
    size: number,
    operation: string,
    deadline: number,
    descriptors = 0,
  ): void {
    let failure: Error | undefined;
    let done = false;
    const waiting: Waiting = {
      lent,
      offset,
      size,
      written() {
        done = true;
      },
      fail(error) {
        done = true;
        failure = error;
      },
    };
    this.#enqueue(waiting, descriptors);
    try {
      while (!done) this.#writeFirstSync(operation, deadline);
    } catch (error) {
      const begun = !this.#withdraw(waiting);
      if (begun && !this.#blocked) this.#setBlocked();
      if (error instanceof TimeoutError) throw new TimeoutError(operation, begun);
      if (error instanceof InterruptedError) throw new InterruptedError(operation, begun);
      throw error;
    }
    if (failure !== undefined) throw failure;
  }

  #writeFirstSync(operation: string, deadline: number): void {
    // Others with unwritten messages go on too: the peer may be waiting for theirs before it reads this one.
    if (unwritten.size > 1) {
      const { expired } = blockOn([], deadline, operation);
      if (expired) throw new TimeoutError(operation);
      return;
    }
    const lender = this.#lenders.first;
    const left = millisecondsLeft(deadline);
    const quiet = deadline === Infinity && !listensForSignals();
    const done = native.flushSync(this.id, lender?.lent, lender?.offset ?? 0, lender?.size ?? 0, left, quiet);
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
