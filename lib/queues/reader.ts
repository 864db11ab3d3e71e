// SPDX-License-Identifier: MIT
//
// The getting half of a queue: the calls that wait, in the order in which they are served, and the item that is on its way.
import { isLimited, type Limits } from '../core/deadline.js';
import { BusyError, Empty, QueueBroken } from '../core/errors.js';
import { queueError } from '../core/status-errors.js';
import { Fifo } from '../core/fifo.js';
import { ownCopy } from '../core/own-bytes.js';
import { LargeMessage } from '../connection/receiving/large-message.js';
import { native } from '../native/addon.js';
import type { KeepAlive } from '../event-loop/keep-alive.js';
import { PendingCall } from '../event-loop/pending-call.js';
import { BYTES_PER_TURN, OPERATIONS_PER_TURN, takeTurn } from '../event-loop/reactor.js';
import { flushUnwritten } from '../event-loop/sync-wait.js';
import type { MessageDecoder } from '../serialization/message-decoder.js';
import { CHECK_MS, type QueueTransport } from './transport.js';

const codes = native.status;

/** Where the native layer puts small items. It is read before the next native call and never handed out. */
const slab = Buffer.allocUnsafeSlow(native.smallBytes);

export class QueueReader {
  readonly #transport: QueueTransport;
  readonly #decoder: MessageDecoder<unknown>;
  readonly #waiting = new Fifo<PendingCall<unknown>>();
  /** A large item that is on its way. */
  readonly #large = new LargeMessage();
  /** An item that became whole when no call waited for it any more, or the error for one that is too long. */
  #kept: Buffer | Error | undefined;
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
    return this.#kept !== undefined;
  }

  /** Gets one item, after the calls that were made earlier. */
  get(limits: Limits, keepAlive: KeepAlive): Promise<unknown> {
    const turn = this.#waiting.length === 0 && takeTurn();
    if (turn) {
      try {
        const status = this.#next(false);
        if (this.#has(status)) return Promise.resolve(this.#item(status));
        if (!isWait(status)) return Promise.reject(this.#failure(status));
        if (limits.timeout <= 0) {
          this.#watch(status);
          return Promise.reject(new Empty());
        }
        return this.#wait(limits, keepAlive, status);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return this.#wait(limits, keepAlive, undefined);
  }

  /** An item that is there now; undefined if there is none, or if earlier calls wait for it. */
  getNow(): { value: unknown } | undefined {
    if (this.#waiting.length > 0) return undefined;
    const status = this.#next(false);
    if (this.#has(status)) return { value: this.#item(status) };
    if (!isWait(status)) throw this.#failure(status);
    this.#watch(status);
    return undefined;
  }

  /** Gets one item, blocking. */
  getSync(deadline: number, operation: string): unknown {
    if (this.#waiting.length > 0) throw new BusyError(`${operation}: an asynchronous get is pending on this queue`);
    flushUnwritten();
    this.#watch(undefined);
    for (;;) {
      const status = this.#next(false, Infinity);
      if (this.#has(status)) return this.#item(status);
      if (!isWait(status)) throw this.#failure(status);
      const { inside } = this.#transport;
      const until = inside ? Math.min(deadline, performance.now() + CHECK_MS) : deadline;
      if (this.#transport.blockUntilGettable(status, until, operation)) continue;
      if (inside) this.#transport.checkMembers();
      if (performance.now() < deadline) continue;
      this.#watch(status);
      throw new Empty();
    }
  }

  /** Ends all gets. An item of which a part was read is read to its end in the background, for the other members. */
  close(makeError: () => Error): void {
    this.#closed = true;
    this.#watch(undefined);
    this.#kept = undefined;
    this.#large.drop();
    this.#failAll(makeError);
  }

  /** @param status What the call has found missing; undefined if it has not looked. */
  #wait(limits: Limits, keepAlive: KeepAlive, status: number | undefined): Promise<unknown> {
    const call = new PendingCall<unknown>(keepAlive);
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

  #limit(call: PendingCall<unknown>, limits: Limits): void {
    const timeoutError = (): Error => new Empty();
    call.limit(limits, timeoutError, (error) => {
      this.#waiting.remove(call);
      call.reject(error);
      if (this.#waiting.length === 0) this.#rest();
    });
  }

  /** Serves the calls that wait, as far as there are items. */
  readonly #serve = (expected: boolean): void => {
    if (this.#immediate || this.#closed) return;
    for (let turn = 0; this.#waiting.length > 0 || this.#transport.inside; turn++) {
      if (turn === OPERATIONS_PER_TURN) {
        this.#serveSoon();
        return;
      }
      const status = this.#next(expected);
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
      else first.attempt(() => first.resolve(this.#item(status)));
    }
    this.#rest();
  };

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

  #has(status: number): boolean {
    return status >= 0 || status === codes.largeMessage;
  }

  /** The length of a small item in the slab, `largeMessage` when `#large` is whole, or why there is neither. */
  #next(expected: boolean, budget = BYTES_PER_TURN): number {
    const kept = this.#kept;
    if (kept instanceof Error) return codes.tooLong;
    if (kept !== undefined) {
      this.#large.use(kept);
      this.#kept = undefined;
      return codes.largeMessage;
    }
    return this.#transport.get(slab, this.#large, expected, budget);
  }

  #item(status: number): unknown {
    return status >= 0 ? this.#decoder.fromBorrowed(slab, status) : this.#decoder.fromOwned(this.#large.take());
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
    const outOfStep =
      status === codes.truncated ||
      status === codes.badLength ||
      status === codes.unreadable ||
      status === codes.unexpectedDescriptor;
    if (!outOfStep) return queueError(status, 'read');
    return new QueueBroken({ cause: this.#transport.receiveFailure(status) });
  }

  #failAll(makeError: () => Error): void {
    for (const call of this.#waiting.removeAll()) call.reject(makeError());
  }
}

/** Whether a status says that there is nothing to get now. */
function isWait(status: number): boolean {
  return status === codes.again || status === codes.busy;
}
