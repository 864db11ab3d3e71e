// SPDX-License-Identifier: MIT
//
// The putting half of a queue: the calls that wait for a slot, and those that wait until what was accepted is written.
import { isLimited, LimitsLeft, type Limits } from '../core/deadline.js';
import { BusyError, Full, InterruptedError, TimeoutError } from '../core/errors.js';
import { queueError } from '../core/status-errors.js';
import { Fifo } from '../core/fifo.js';
import { native } from '../native/addon.js';
import type { KeepAlive } from '../event-loop/keep-alive.js';
import { PendingCall } from '../event-loop/pending-call.js';
import { OPERATIONS_PER_TURN } from '../event-loop/reactor.js';
import { flushUnwritten } from '../event-loop/sync-wait.js';
import { BorrowedBytes } from '../serialization/borrowed-bytes.js';
import { ownBytes } from '../serialization/structured/encoding/output.js';
import { POLL_MS, type Item, type QueueTransport } from './transport.js';
import { setImmediate } from '../core/own-turns.js';

const codes = native.status;

/** A put that waits for a slot. */
class PendingPut extends PendingCall<void> {
  readonly bytes: Uint8Array;
  readonly limits: Limits;
  readonly keepAlive: KeepAlive;

  constructor(bytes: Uint8Array, limits: Limits, keepAlive: KeepAlive) {
    super(keepAlive);
    this.bytes = bytes;
    this.limits = new LimitsLeft(limits);
    this.keepAlive = keepAlive;
  }
}

const resolved = Promise.resolve();

/** Items are gathered if so many bytes may wait without making a `put` wait. */
const GATHERING_MARK = 64 * 1024;

export class QueueWriter {
  readonly #transport: QueueTransport;
  readonly #highWaterMark: number;
  readonly #waiting = new Fifo<PendingPut>();
  readonly #gathers: boolean;
  #immediate = false;
  /** Whether an item was put in this turn, so that further ones are gathered; and whether some were. */
  #inTurn = false;
  #gathered = false;
  /** These end the waits for a slot, and for a change of the queue's state. */
  #stopWaiting: (() => void) | undefined;
  #stopListening: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Whether anything was ever put here. */
  used = false;

  constructor(transport: QueueTransport, highWaterMark: number) {
    this.#transport = transport;
    this.#highWaterMark = highWaterMark;
    this.#gathers = highWaterMark >= GATHERING_MARK && transport.flush !== undefined;
  }

  /** Puts an item, after those that were put earlier. */
  put(item: Item, limits: Limits, keepAlive: KeepAlive): Promise<void> {
    if (this.#waiting.length > 0) {
      return limits.timeout > 0 ? this.#wait(item, limits, keepAlive) : Promise.reject(new Full());
    }
    const status = this.#put(item, false);
    if (status >= 0) {
      return this.#accepted(status, limits, keepAlive) ?? resolved;
    }
    if (status !== codes.again) return Promise.reject(queueError(status, 'write'));
    return limits.timeout > 0 ? this.#wait(item, limits, keepAlive) : Promise.reject(new Full());
  }

  /** Puts an item if a slot is free now. */
  putNow(item: Item): void {
    const status = this.#waiting.length > 0 ? codes.again : this.#transport.put(item, false, false);
    if (status === codes.again) throw new Full();
    if (status < 0) throw queueError(status, 'write');
    this.used = true;
  }

  /** Puts an item, blocking. */
  putSync(item: Item, deadline: number, operation: string): void {
    if (this.#waiting.length > 0) throw new BusyError(`${operation}: an asynchronous put is pending on this queue`);
    flushUnwritten();
    let status = this.#transport.put(item, false, false);
    while (status === codes.again) {
      const hasSlot = this.#transport.blockUntilSlot(deadline, operation);
      if (hasSlot === undefined) throw new Full();
      status = this.#transport.put(item, hasSlot, false);
    }
    if (status < 0) throw queueError(status, 'write');
    this.used = true;
    if (status <= this.#highWaterMark) return;
    let written: number = codes.timedOut;
    try {
      written = this.#transport.blockUntilWritten(this.#highWaterMark, deadline, operation);
    } catch (error) {
      if (!(error instanceof InterruptedError)) throw error;
    }
    // Neither a timeout nor a signal is an error: the item was accepted, and a repeated call would put it twice.
    if (written < 0 && written !== codes.timedOut) throw queueError(written, 'write');
  }

  /** Resolves when everything that was accepted has been written. */
  whenWritten(limits: Limits, keepAlive: KeepAlive): Promise<void> {
    return this.#whenBelow(0, limits, keepAlive, 'joinThread');
  }

  whenWrittenSync(deadline: number): void {
    const status = this.#transport.blockUntilWritten(0, deadline, 'joinThreadSync');
    if (status === codes.timedOut) throw new TimeoutError('joinThreadSync');
    if (status < 0) throw queueError(status, 'write');
  }

  /** Writes the items that were gathered, for those that look for them here. */
  flush(): void {
    if (!this.#gathered) return;
    this.#gathered = false;
    this.#transport.flush?.();
  }

  /** Ends the puts that still wait for a slot. */
  close(makeError: () => Error): void {
    for (const call of this.#waiting.removeAll()) call.reject(makeError());
    this.#rest();
  }

  /** The first item of a turn is written at once, so that no item waits for company; the later ones together. */
  #put(item: Item, hasSlot: boolean): number {
    const status = this.#transport.put(item, hasSlot, this.#inTurn);
    if (this.#inTurn) {
      this.#gathered ||= status > 0;
    } else if (this.#gathers && status >= 0) {
      this.#inTurn = true;
      // After all that the turn's promises call, as long as these do not wait.
      process.nextTick(this.#endTurn);
    }
    return status;
  }

  readonly #endTurn = (): void => {
    this.#inTurn = false;
    this.flush();
  };

  /** @returns What the caller of an accepted put has to wait for, if anything. */
  #accepted(waiting: number, limits: Limits, keepAlive: KeepAlive): Promise<void> | undefined {
    this.used = true;
    if (waiting <= this.#highWaterMark) return undefined;
    return this.#whenBelow(this.#highWaterMark, limits, keepAlive, undefined);
  }

  /** @param operation What times out; undefined if the end of the time is no error. */
  #whenBelow(most: number, limits: Limits, keepAlive: KeepAlive, operation: string | undefined): Promise<void> {
    const call = new PendingCall<void>(keepAlive);
    call.attempt(() => {
      call.onEnd = this.#transport.onceWritten(most, (status) => {
        if (status < 0) call.reject(queueError(status, 'write'));
        else call.resolve();
      });
    });
    const timeoutError = (): Error => new TimeoutError(operation ?? 'put');
    call.limit(limits, timeoutError, () => {
      if (operation === undefined) call.resolve();
    });
    return call.promise;
  }

  #wait(item: Item, limits: Limits, keepAlive: KeepAlive): Promise<void> {
    const call = new PendingPut(item instanceof BorrowedBytes ? item.copy() : ownBytes(item), limits, keepAlive);
    if (isLimited(limits)) this.#limit(call, limits);
    this.#waiting.push(call);
    if (this.#waiting.length === 1) this.#serveSoon();
    return call.promise;
  }

  #limit(call: PendingPut, limits: Limits): void {
    const timeoutError = (): Error => new Full();
    call.limit(limits, timeoutError, (error) => {
      this.#waiting.remove(call);
      call.reject(error);
      if (this.#waiting.length === 0) this.#rest();
    });
  }

  /** In the next turn of the event loop: it may be the loop's turn that is missing, and not a slot. */
  #serveSoon(): void {
    if (this.#immediate) return;
    this.#immediate = true;
    setImmediate(() => {
      this.#immediate = false;
      this.#serve(false);
    });
  }

  /** Puts the items that wait, as far as slots are free. */
  #serve(hasSlot: boolean): void {
    let slot = hasSlot;
    if (slot && this.#waiting.length === 0) this.#transport.returnSlot();
    for (let turn = 0; this.#waiting.length > 0; turn++) {
      if (turn === OPERATIONS_PER_TURN) {
        this.#serveSoon();
        return;
      }
      const first = this.#waiting.first as PendingPut;
      const status = this.#put(first.bytes, slot);
      slot = false;
      if (status === codes.again) {
        this.#watch();
        return;
      }
      this.#waiting.shift();
      if (status >= 0) first.resolve(this.#accepted(status, first.limits, first.keepAlive));
      else first.reject(queueError(status, 'write'));
    }
    this.#rest();
  }

  #watch(): void {
    try {
      this.#stopWaiting ??= this.#transport.onceSlot((hasSlot) => {
        this.#stopWaiting = undefined;
        this.#serve(hasSlot);
      });
      this.#stopListening ??= this.#transport.onceChanged(() => {
        this.#stopListening = undefined;
        this.#serve(false);
      });
    } catch (error) {
      this.close(() => error as Error);
      return;
    }
    // Without a notification, poll for changes.
    if (!this.#transport.notifies)
      this.#timer ??= setInterval(() => {
        this.#serve(false);
      }, POLL_MS).unref();
  }

  /** Called when no call waits any more. */
  #rest(): void {
    this.#stopWaiting?.();
    this.#stopListening?.();
    clearInterval(this.#timer);
    this.#stopWaiting = this.#stopListening = this.#timer = undefined;
  }
}
