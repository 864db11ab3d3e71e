// SPDX-License-Identifier: MIT
//
// What a sender has put in line in the native layer, until it is written or has failed: the calls to be settled, and the callers'
// memory that long messages are still read from.
import { constants } from 'node:os';

import { millisecondsLeft } from '../../core/deadline.js';
import { ClosedError, NotWritable, TimeoutError } from '../../core/errors.js';
import { sendError } from '../../core/status-errors.js';
import { BYTES_PER_TURN } from '../../event-loop/reactor.js';
import {
  blockOn,
  checkInterrupted,
  flushUnwritten,
  listensForSignals,
  unwritten,
  type Writer,
} from '../../event-loop/sync-wait.js';
import type { KeepAlive } from '../../event-loop/keep-alive.js';
import { native } from '../../native/addon.js';
import type { Acceptance } from './acceptance.js';
import { Line, WITHDRAWN } from './line.js';
import { entryOf, type BlockingSend, type PendingSend, type QueuedEntry } from './message-group.js';

const codes = native.status;

/** How much of a message is copied when it has to wait; the rest is read from the caller's memory. */
export const COPIED_BYTES = native.copiedBytes;

/** The errors of a write to a peer that reads nothing any more. */
const peerGone = [constants.errno.EPIPE, constants.errno.ECONNRESET];

const resolved = Promise.resolve();

/** What a sender asks of its channel. */
export interface SenderOwner {
  /** Asks the channel to call `flush` when there may be room. */
  wantWrite(): void;
  /** Tells the channel that nothing waits any more. */
  drained(): void;
  /** Whether no Connection is left that could be told of a failure. */
  readonly abandoned: boolean;
}

export class Delivery implements Writer {
  readonly id: number;
  readonly line: Line;
  /** Set if sends resolve when their message is accepted. */
  readonly acceptance: Acceptance | undefined;
  readonly #channel: SenderOwner;
  #blocked = false;
  #drainWaiters: (() => void)[] | undefined;
  /** Set when a message could not be finished after it was begun: the peer cannot find the next one. */
  #broken = false;

  constructor(id: number, channel: SenderOwner, acceptance: Acceptance | undefined) {
    this.id = id;
    this.line = new Line(id);
    this.acceptance = acceptance;
    this.#channel = channel;
  }

  /** Whether the kernel has no room. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Puts a message in line that the native layer has in line already, with the descriptors that belong to it. */
  enqueue(
    data: Uint8Array | undefined,
    offset: number,
    size: number,
    group: PendingSend | BlockingSend,
    number: number,
    followers: readonly number[],
  ): QueuedEntry {
    const borrowed = size > COPIED_BYTES ? data : undefined;
    const entry: QueuedEntry = { messages: 1, number, borrowed, offset, size, group, accepted: false };
    this.#prepareLine();
    this.line.push(entry);
    if (followers.length > 0) {
      group.remaining += followers.length;
      entry.followers = followers.map((follower) => entryOf(group, 1, follower));
      for (const follower of entry.followers) this.line.push(follower);
    }
    return entry;
  }

  /** Adds a message that lies in the memory for gathered ones, and whose caller waits for it. */
  gather(keepAlive: KeepAlive): Promise<void> {
    this.#prepareLine();
    return this.line.gather(keepAlive);
  }

  /** Adds a message that was accepted. */
  accept(keepAlive: KeepAlive): void {
    this.#prepareLine();
    this.line.accept(keepAlive);
  }

  /** To be called before a message is put in line. */
  #prepareLine(): void {
    if (this.line.isEmpty) unwritten.add(this);
  }

  /** See `Line.withdraw`. */
  withdraw(entry: QueuedEntry): number {
    const status = this.line.withdraw(entry);
    if (status === WITHDRAWN) this.#checkDrained();
    return status;
  }

  /** Writes again when there may be room. */
  setBlocked(): void {
    this.#blocked = true;
    this.#channel.wantWrite();
  }

  /** Writes what waits, as far as there is room and one turn of the event loop allows. */
  flush(): void {
    this.#blocked = false;
    if (this.line.isEmpty) return;
    this.#write(BYTES_PER_TURN);
    if (!this.line.isEmpty) this.setBlocked();
  }

  /** Leaves no message where only the next write would find it. */
  collect(): void {
    this.#write(0);
  }

  /** Resolves when nothing waits any more, whether it was written or has failed. */
  whenDrained(): Promise<void> {
    if (this.line.isEmpty) return resolved;
    return new Promise((resolve) => (this.#drainWaiters ??= []).push(resolve));
  }

  /** Why nothing can be sent, or what has become of earlier messages. */
  refusal(): Error | undefined {
    return this.#broken ? this.#brokenError() : this.acceptance?.takeLost();
  }

  /** Drops what waits, without writing it. */
  discard(): void {
    this.#failAll(() => new ClosedError(), true);
  }

  /** Ends all sends. */
  fail(error: Error): void {
    if (this.#failAll(() => error)) this.#broken = true;
  }

  /** Writes at most about so many bytes of what waits. */
  #write(budget: number): void {
    const borrower = this.line.borrower;
    const done = native.flush(this.id, borrower?.borrowed, borrower?.offset ?? 0, borrower?.size ?? 0, budget);
    if (done >= 0 || done === codes.again) this.#complete(Math.max(done, 0));
    else this.#failWrite(done);
  }

  #complete(count: number): void {
    this.line.complete(count);
    this.acceptance?.update(this.line.isEmpty ? 0 : native.pendingBytes(this.id));
    this.#checkDrained();
  }

  #checkDrained(): void {
    if (!this.line.isEmpty) return;
    unwritten.delete(this);
    for (const resolve of this.#drainWaiters ?? []) resolve();
    this.#drainWaiters = undefined;
    this.#channel.drained();
  }

  /** Deals with a failed write. */
  #failWrite(status: number): void {
    const { borrower } = this.line;
    if (status !== codes.bufferChanged || borrower === undefined) {
      const isCutOff = this.#failAll(() => sendError(status, 'send'));
      // If the peer is not gone, it takes whatever comes next for the rest of the message.
      this.#broken ||= isCutOff && !peerGone.includes(-status);
      return;
    }
    const withdrawn = this.withdraw(borrower) === WITHDRAWN;
    borrower.group.settle(sendError(status, 'send'));
    if (!withdrawn) this.breakOff();
  }

  /** A message cannot be finished. */
  breakOff(): void {
    this.#broken = true;
    this.#failAll(() => this.#brokenError());
  }

  #brokenError(): Error {
    return new NotWritable(
      'A message could not be sent to its end, so nothing more can be sent: its buffer was detached, or the system refused it',
    );
  }

  /** Returns whether a message was cut off. */
  #failAll(makeError: () => Error, silently = false): boolean {
    const isCutOff = native.dropPending(this.id) === 1;
    this.#blocked = false;
    const entries = this.line.clear();
    const lost = silently ? undefined : this.#lose(entries, makeError);
    for (const { group, messages } of entries) {
      // The caller has asked for the messages to be dropped, so it need not listen for their failure.
      if (silently) for (const promise of group.promises ?? []) promise.catch(() => undefined);
      group.settle(messages === 0 && lost !== undefined ? lost : makeError());
    }
    this.acceptance?.update(0);
    this.#checkDrained();
    return isCutOff;
  }

  /** Finds out whether accepted messages are among those that fail, and which call is told. */
  #lose(entries: readonly QueuedEntry[], makeError: () => Error): Error | undefined {
    let count = 0;
    for (const { accepted, messages } of entries) if (accepted) count += messages;
    if (count === 0) return undefined;
    const lost = this.acceptance?.lose(count, makeError());
    const isTold = entries.some(({ messages }) => messages === 0);
    const isForgotten = this.#channel.abandoned && this.#drainWaiters === undefined;
    if (isTold || isForgotten) this.acceptance?.takeLost();
    if (isForgotten && !isTold && lost !== undefined) process.emitWarning(lost);
    return lost;
  }

  /** Writes everything that was accepted before, since messages keep their order. */
  drainSync(operation: string, deadline: number): void {
    flushUnwritten();
    while (!this.line.isEmpty) this.writeFirstSync(operation, deadline);
  }

  /** Throws `refusal()`. */
  throwRefusal(): void {
    const refused = this.refusal();
    if (refused !== undefined) throw refused;
  }

  /** Blocks until the first message is written, or something else has happened. */
  writeFirstSync(operation: string, deadline: number): void {
    // Other channels go on writing too: the peer may wait for their messages before it reads this one.
    if (unwritten.size > 1) {
      const { expired } = blockOn([], deadline, operation);
      if (expired) throw new TimeoutError(operation);
      return;
    }
    const { borrower } = this.line;
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
