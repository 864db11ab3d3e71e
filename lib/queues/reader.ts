// SPDX-License-Identifier: MIT
//
// The getting half of a queue: the calls that wait, in the order in which they are served, and the item that is on its way.
import { isLimited, LimitsLeft, type Limits } from '../core/deadline.js';
import { BusyError, Empty, QueueBroken } from '../core/errors.js';
import { queueError } from '../core/status-errors.js';
import { Fifo } from '../core/fifo.js';
import { ownCopy } from '../core/own-bytes.js';
import { Frames } from '../connection/receiving/frames.js';
import { LargeMessage } from '../connection/receiving/large-message.js';
import { native } from '../native/addon.js';
import type { KeepAlive } from '../event-loop/keep-alive.js';
import { PendingCall } from '../event-loop/pending-call.js';
import { BYTES_PER_TURN, countBytes, OPERATIONS_PER_TURN, takeTurn } from '../event-loop/reactor.js';
import { flushUnwritten } from '../event-loop/sync-wait.js';
import type { MessageDecoder } from '../serialization/message-decoder.js';
import { ArrivingItem, limitArrival, type Postponed } from './arriving-item.js';
import { CHECK_MS, isOutOfStep, isWait, type QueueTransport } from './transport.js';
import { setImmediate } from '../core/own-turns.js';

const codes = native.status;

/** Where the native layer puts single small items. It is read before the next native call and never handed out. */
const slab = Buffer.allocUnsafeSlow(native.smallBytes);

/** A get that waits, of one item or of a batch of at most `max`. */
class PendingGet extends PendingCall<unknown> {
  readonly max: number | undefined;
  readonly limits: Limits;
  readonly keepAlive: KeepAlive;

  constructor(max: number | undefined, limits: Limits, keepAlive: KeepAlive) {
    super(keepAlive);
    this.max = max;
    this.limits = isLimited(limits) ? new LimitsLeft(limits) : limits;
    this.keepAlive = keepAlive;
  }
}

export class QueueReader {
  readonly #transport: QueueTransport;
  readonly #decoder: MessageDecoder<unknown>;
  readonly #waiting = new Fifo<PendingGet>();
  /** A large item that is on its way. */
  readonly #large = new LargeMessage();
  /** Items that were got together. They are gone before the call ends that has got them, unless it has ended a batch early. */
  readonly #frames = new Frames(false);
  /** An item that became whole when no call waited for it any more, or the error for one that is too long. */
  #kept: Buffer | Error | undefined;
  /**
   * What waits for the next calls: what has ended a batch that had items already, an item that waits for others or why one
   * could not be decoded; and such items of calls that have given up.
   */
  readonly #postponed: Postponed[] = [];
  /** How many bytes the items have that were got for the present answer. */
  #bytes = 0;
  #immediate = false;
  /** What the last attempt found missing, while the reader waits for it; and what ends that wait. */
  #missing: number | undefined;
  #stopWaiting: (() => void) | undefined;
  /** Ends the wait for a change of the queue's state. */
  #stopListening: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(transport: QueueTransport, decoder: MessageDecoder<unknown>) {
    this.#transport = transport;
    this.#decoder = decoder;
  }

  /** Whether an item is here already. */
  get holdsItem(): boolean {
    return this.#kept !== undefined || this.#postponed.length > 0 || !this.#frames.empty;
  }

  /**
   * Gets one item, after the calls that were made earlier.
   *
   * @param max Gets a batch of the items that are there instead, at least one and at most so many.
   */
  get(limits: Limits, keepAlive: KeepAlive, max?: number): Promise<unknown> {
    const turn = this.#waiting.length === 0 && takeTurn();
    if (turn) {
      try {
        if (this.#postponed.length > 0)
          return Promise.resolve(this.#limited(this.#takePostponed(max), limits, keepAlive));
        const status = this.#begin(false, max);
        if (this.#has(status)) return Promise.resolve(this.#limited(this.#answer(status, max), limits, keepAlive));
        if (!isWait(status)) return Promise.reject(this.#failure(status));
        if (limits.timeout <= 0) {
          this.#watch(status);
          return Promise.reject(new Empty());
        }
        return this.#wait(limits, keepAlive, status, max);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return this.#wait(limits, keepAlive, undefined, max);
  }

  /** An item that is there now; undefined if there is none, or if earlier calls wait for it. */
  getNow(): { value: unknown } | undefined {
    if (this.#waiting.length > 0) return undefined;
    if (this.#postponed.length > 0) return { value: this.#takePostponed(undefined) };
    const status = this.#begin(false);
    if (this.#has(status)) return { value: this.#item(status) };
    if (!isWait(status)) throw this.#failure(status);
    this.#watch(status);
    return undefined;
  }

  /** Gets one item, blocking. */
  getSync(deadline: number, operation: string, max?: number): unknown {
    if (this.#waiting.length > 0) throw new BusyError(`${operation}: an asynchronous get is pending on this queue`);
    if (this.#postponed.length > 0) return this.#takePostponed(max);
    flushUnwritten();
    this.#watch(undefined);
    for (;;) {
      const status = this.#begin(false, max, Infinity);
      if (this.#has(status)) return this.#answer(status, max);
      if (!isWait(status)) throw this.#failure(status);
      const { inside } = this.#transport;
      const until = inside ? Math.min(deadline, performance.now() + CHECK_MS) : deadline;
      try {
        if (this.#transport.blockUntilGettable(status, until, operation)) continue;
      } catch (error) {
        this.#rest();
        throw error;
      }
      if (inside) this.#transport.checkMembers();
      if (performance.now() < deadline) continue;
      this.#watch(status);
      throw new Empty();
    }
  }

  /** Keeps an item that is on its way for the next call. */
  postpone(item: ArrivingItem): void {
    this.#postponed.unshift({ item });
  }

  /** Ends all gets. An item of which a part was read is read to its end in the background, for the other members. */
  close(makeError: () => Error): void {
    this.#closed = true;
    this.#watch(undefined);
    for (const postponed of this.#postponed.splice(0)) if ('item' in postponed) postponed.item.drop();
    this.#kept = undefined;
    this.#frames.takeAll();
    this.#large.drop();
    this.#failAll(makeError);
  }

  /** @param status What the call has found missing; undefined if it has not looked. */
  #wait(limits: Limits, keepAlive: KeepAlive, status: number | undefined, max: number | undefined): Promise<unknown> {
    const call = new PendingGet(max, limits, keepAlive);
    if (isLimited(limits)) this.#limit(call, limits);
    this.#waiting.push(call);
    try {
      if (status !== undefined) this.#watch(status);
      else if (this.#waiting.length === 1) this.#serveSoon();
    } catch (error) {
      this.#failAll(() => error as Error);
    }
    return call.promise;
  }

  #limit(call: PendingGet, limits: Limits): void {
    call.limit(
      limits,
      () => new Empty(),
      (error) => {
        this.#waiting.remove(call);
        call.reject(error);
        if (this.#waiting.length === 0) this.#rest();
      },
    );
  }

  /** Serves the calls that wait, as far as there are items. */
  readonly #serve = (expected: boolean): void => {
    if (this.#immediate || this.#closed) return;
    for (let turn = 0; this.#waiting.length > 0 || this.#transport.inside; turn++) {
      if (turn === OPERATIONS_PER_TURN) {
        this.#serveSoon();
        return;
      }
      if (this.#postponed.length > 0 && this.#waiting.length > 0) {
        const call = this.#waiting.shift() as PendingGet;
        this.#settle(call, () => this.#takePostponed(call.max));
        continue;
      }
      const wanted = Math.min(this.#waiting.length, OPERATIONS_PER_TURN - turn);
      const status = this.#begin(expected, Math.max(wanted, this.#waiting.first?.max ?? 1));
      if (isWait(status)) {
        try {
          this.#watch(status);
        } catch (error) {
          this.#failAll(() => error as Error);
        }
        return;
      }
      if (status === codes.tooLong) {
        // Only this item is concerned.
        const call = this.#waiting.shift();
        const refused = this.#failure(status);
        if (call === undefined) this.#kept = refused;
        else call.reject(refused);
        continue;
      }
      if (!this.#has(status)) {
        const failure = this.#failure(status);
        this.#failAll(() => failure);
        if (this.#transport.inside) return;
        break;
      }
      const first = this.#waiting.shift();
      // Copied, since the next get may come at any time, after the slab was used again.
      if (first === undefined) this.#kept = status >= 0 ? ownCopy(slab, 0, status) : this.#large.take();
      else this.#settle(first, () => this.#answer(status, first.max));
    }
    this.#rest();
  };

  #settle(call: PendingGet, answer: () => unknown): void {
    call.attempt(() => call.resolve(this.#limited(answer(), call.limits, call.keepAlive)));
  }

  /** An answer for a call with these limits. An item that is on its way keeps them, too. */
  #limited(answer: unknown, limits: Limits, keepAlive: KeepAlive): unknown {
    return limitArrival(answer, limits, keepAlive, (item) => {
      if (this.#closed) item.drop();
      else this.#postponed.push({ item });
      if (this.#waiting.length > 0) this.#serveSoon();
    });
  }

  #serveSoon(): void {
    if (this.#immediate) return;
    this.#immediate = true;
    setImmediate(() => {
      this.#immediate = false;
      this.#serve(false);
    });
  }

  /** Called when no call waits any more. */
  #rest(): void {
    try {
      this.#watch(this.#transport.inside ? codes.again : undefined);
    } catch {
      // No call is left to be told. Inside an item the timer makes further attempts.
    }
  }

  /** Waits for what the last attempt found missing; with undefined for nothing. */
  #watch(status: number | undefined): void {
    const waits = status !== undefined && (this.#waiting.length > 0 || this.#transport.inside);
    const missing = waits ? status : undefined;
    try {
      if (missing === this.#missing) return;
      this.#stopWatching();
      if (missing !== undefined) this.#stopWaiting = this.#transport.onceGettable(missing, this.#onGettable);
      this.#missing = missing;
    } finally {
      this.#listen(waits);
    }
  }

  #stopWatching(): void {
    this.#stopWaiting?.();
    this.#stopWaiting = this.#missing = undefined;
  }

  readonly #onGettable = (expected: boolean): void => {
    this.#missing = this.#stopWaiting = undefined;
    this.#serve(expected);
  };

  /** Listens for a change of the queue's state, and polls where there is no notification. */
  #listen(waits: boolean): void {
    const { changed, inside } = this.#transport;
    if (waits && (changed || inside)) {
      this.#timer ??= setInterval(() => {
        if (this.#transport.inside) this.#transport.checkMembers();
        this.#serve(false);
      }, CHECK_MS).unref();
    } else {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    if (waits && !changed) {
      this.#stopListening ??= this.#transport.onceChanged(() => {
        this.#stopListening = undefined;
        this.#serve(false);
      });
    } else {
      this.#stopListening?.();
      this.#stopListening = undefined;
    }
  }

  /** The outcome of a get that needs no item from the queue. */
  #takePostponed(max: number | undefined): unknown {
    const postponed = this.#postponed.shift() as Postponed;
    if ('error' in postponed) throw postponed.error;
    return max === undefined ? postponed.item : [postponed.item];
  }

  #has(status: number): boolean {
    return status >= 0 || status === codes.largeMessage;
  }

  /** As `#next`, for the first item of an answer. */
  #begin(expected: boolean, wanted?: number, budget?: number): number {
    this.#bytes = 0;
    return this.#next(expected, wanted, budget);
  }

  /**
   * The length of a small item, the next one of `#frames` or else in the slab, `largeMessage` when `#large` is whole, or why
   * there is neither.
   *
   * @param wanted How many items this process has waiting calls for. So many are read together.
   */
  #next(expected: boolean, wanted = 1, budget = BYTES_PER_TURN): number {
    const kept = this.#kept;
    if (kept instanceof Error) return codes.tooLong;
    if (kept !== undefined) {
      this.#large.use(kept);
      this.#kept = undefined;
      return codes.largeMessage;
    }
    if (!this.#frames.empty) return this.#frames.length;
    const room = Math.min(native.aheadBytes, BYTES_PER_TURN - this.#bytes);
    if (wanted > 1 && room >= native.frameBytes && this.#transport.getMany !== undefined) {
      const status = this.#transport.getMany(this.#frames, wanted, room, expected);
      if (status >= 0) return this.#frames.length;
      if (status !== codes.largeMessage) return status;
    }
    return this.#transport.get(slab, this.#large, expected, budget);
  }

  #item(status: number): unknown {
    if (status >= 0) {
      this.#bytes += status;
      if (!this.#frames.empty) return this.#decoder.fromBorrowed(this.#frames.takeBorrowed(), status);
      return this.#decoder.fromBorrowed(slab, status);
    }
    const item = this.#large.take();
    this.#bytes += item.length;
    return this.#decoder.fromOwned(item);
  }

  /** The outcome of a get that has found an item: the item, or a batch that begins with it. */
  #answer(status: number, max: number | undefined): unknown {
    const first = this.#item(status);
    if (max === undefined) return first;
    const batch = [first];
    // No item is given back, so the last one may be more than fits the share.
    const mayGoOn = (): boolean => batch.length < max && this.#bytes < BYTES_PER_TURN && this.#postponed.length === 0;
    while (!(first instanceof ArrivingItem) && mayGoOn()) {
      try {
        const next = this.#next(false, max - batch.length);
        if (isWait(next)) break;
        if (!this.#has(next)) throw this.#failure(next);
        const item = this.#item(next);
        if (item instanceof ArrivingItem) this.#postponed.push({ item });
        else batch.push(item);
      } catch (error) {
        this.#postponed.push({ error });
      }
    }
    countBytes(this.#bytes);
    if (this.#waiting.length === 0) this.#rest();
    return batch;
  }

  /** The error for a failed attempt. If it was made inside an item, a timer makes the next one. */
  #failure(status: number): Error {
    if (status === codes.tooLong) {
      const refused = this.#kept instanceof Error ? this.#kept : this.#transport.receiveFailure(status);
      this.#kept = undefined;
      return refused;
    }
    if (this.#transport.inside) {
      this.#stopWatching();
      this.#listen(true);
    } else {
      this.#large.drop();
    }
    if (!isOutOfStep(status)) return queueError(status, 'read');
    return new QueueBroken({ cause: this.#transport.receiveFailure(status) });
  }

  #failAll(makeError: () => Error): void {
    for (const call of this.#waiting.removeAll()) call.reject(makeError());
  }
}
