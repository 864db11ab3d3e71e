// SPDX-License-Identifier: MIT
//
// The getting half of a queue: who waits, in which order they are served, and the item that is on its way.
import { startLimits, type Limits } from '../core/deadline.js';
import { BusyError, Empty, QueueBroken, queueError, receiveError } from '../core/errors.js';
import { Fifo } from '../core/fifo.js';
import { LargeMessage } from '../connection/large-message.js';
import { native } from '../native/addon.js';
import { LOOK_MS, type QueueHandle } from './handle.js';
import { flushUnwritten, takeTurn, type Hold } from '../event-loop/reactor.js';
import type { Take } from '../serialization/message-decoder.js';

const codes = native.status;
const queues = native.queues;

/** Where the native layer puts small items. It is read before the next native call and never handed out. */
const slab = Buffer.allocUnsafeSlow(native.smallBytes);

/** How much of a large item is read in one turn of the event loop. */
const BUDGET = 256 * 1024;

/** So many who wait are served in one turn of the event loop. */
const TURNS = 64;

/** One get that waits. */
class Request {
  readonly #hold: Hold;
  readonly #take: Take<unknown>;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: Error) => void;
  /** Ends its time limits. */
  cancel: (() => void) | undefined;

  constructor(take: Take<unknown>, hold: Hold, resolve: (value: unknown) => void, reject: (error: Error) => void) {
    this.#take = take;
    this.#hold = hold;
    this.#resolve = resolve;
    this.#reject = reject;
    hold.begin();
  }

  deliver(make: (take: Take<unknown>) => unknown): void {
    this.cancel?.();
    this.#hold.end();
    try {
      this.#resolve(make(this.#take));
    } catch (error) {
      this.#reject(error as Error);
    }
  }

  fail(error: Error): void {
    this.cancel?.();
    this.#hold.end();
    this.#reject(error);
  }
}

export class QueueReader {
  readonly #handle: QueueHandle;
  readonly #take: Take<unknown>;
  readonly #waiting = new Fifo<Request>();
  /** A large item that is on its way. */
  readonly #large = new LargeMessage();
  /** An item that nobody waited for any more when it was whole. */
  #kept: Buffer | undefined;
  #immediate = false;
  /** What end the waits for a readable pipe, for the lock, and for what the queue has to tell. */
  #unwatch: (() => void) | undefined;
  #withdraw: (() => void) | undefined;
  #untell: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(handle: QueueHandle, take: Take<unknown>) {
    this.#handle = handle;
    this.#take = take;
  }

  /** Whether an item is here already. */
  get holdsItem(): boolean {
    return this.#kept !== undefined;
  }

  /** Gets one item, after those who asked earlier. */
  get(limits: Limits, hold: Hold): Promise<unknown> {
    const turn = this.#waiting.length === 0 && takeTurn();
    if (turn) {
      try {
        const status = this.#next(false);
        if (this.#has(status)) return Promise.resolve(this.#item(status, this.#take));
        if (!isWait(status)) return Promise.reject(this.#failure(status));
        if (limits.timeout <= 0) {
          this.#watch(status);
          return Promise.reject(new Empty());
        }
        return this.#wait(limits, hold, () => {
          this.#watch(status);
        });
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return this.#wait(limits, hold, () => {
      if (this.#waiting.length === 1) this.#serveSoon();
    });
  }

  /** An item that is there now; undefined if there is none, or others wait for it. */
  getNow(): { value: unknown } | undefined {
    if (this.#waiting.length > 0) return undefined;
    const status = this.#next(false);
    if (this.#has(status)) return { value: this.#item(status, this.#take) };
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
      if (this.#has(status)) return this.#item(status, this.#take);
      if (!isWait(status)) throw this.#failure(status);
      const inside = this.#inside;
      if (this.#block(status, inside ? Math.min(deadline, performance.now() + LOOK_MS) : deadline, operation)) continue;
      if (inside) queues.check(this.#handle.id);
      if (performance.now() < deadline) continue;
      this.#watch(status);
      throw new Empty();
    }
  }

  /** Ends all gets. An item of which a part was read is read to its end in the background, for the others' sake. */
  close(makeError: () => Error): void {
    this.#closed = true;
    this.#watch(undefined);
    this.#kept = undefined;
    this.#large.drop();
    this.#failAll(makeError);
  }

  /** False when the time is up. */
  #block(status: number, deadline: number, operation: string): boolean {
    if (status === codes.again) return this.#handle.block([this.#handle.channel.fd], deadline, operation);
    const outcome = this.#handle.take(this.#handle.rlock, deadline, operation);
    if (outcome === codes.timedOut) return false;
    this.#lockOutcome(outcome);
    return true;
  }

  #wait(limits: Limits, hold: Hold, start: () => void): Promise<unknown> {
    return new Promise<unknown>((resolve, reject) => {
      const request = new Request(this.#take, hold, resolve, reject);
      if (limits.signal !== undefined || limits.timeout !== Infinity) {
        request.cancel = startLimits(
          limits,
          hold.on,
          () => new Empty(),
          (error) => {
            this.#waiting.remove(request);
            request.cancel = undefined;
            request.fail(error);
            if (this.#waiting.length === 0) this.#rest();
          },
        );
      }
      this.#waiting.push(request);
      try {
        start();
      } catch (error) {
        this.#failAll(() => error as Error);
      }
    });
  }

  /** Serves those who wait, as far as there is something for them. */
  readonly #serve = (expected: boolean): void => {
    if (this.#immediate || this.#closed) return;
    for (let turn = 0; this.#waiting.length > 0 || this.#inside; turn++) {
      if (turn === TURNS) {
        this.#serveSoon();
        return;
      }
      const status = this.#next(expected);
      if (isWait(status)) {
        this.#watch(status);
        return;
      }
      if (!this.#has(status)) {
        const failure = this.#failure(status);
        this.#failAll(() => failure);
        break;
      }
      const first = this.#waiting.shift();
      // Copied, since nobody knows when it will be asked for.
      if (first === undefined) this.#kept = Buffer.from(status >= 0 ? slab.subarray(0, status) : this.#large.take());
      else first.deliver((take) => this.#item(status, take));
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

  /** Nobody waits. */
  #rest(): void {
    if (this.#inside) this.#watch(codes.again);
    else this.#watch(undefined);
  }

  get #inside(): boolean {
    return queues.inside(this.#handle.id) === 1;
  }

  /** Waits for what the last attempt found missing; with undefined for nothing. */
  #watch(status: number | undefined): void {
    const waits = status !== undefined && (this.#waiting.length > 0 || this.#inside);
    if (waits && status === codes.again) {
      this.#unwatch ??= this.#handle.channel.onceReadable(() => {
        this.#unwatch = undefined;
        this.#serve(true);
      });
    } else {
      this.#unwatch?.();
      this.#unwatch = undefined;
    }
    if (waits && status === codes.busy) {
      this.#withdraw ??= this.#handle.rlock.request((outcome) => {
        this.#withdraw = undefined;
        this.#lockOutcome(outcome);
        this.#serve(false);
      });
    } else {
      this.#withdraw?.();
      this.#withdraw = undefined;
    }
    this.#listen(waits);
  }

  /** Listens for what the queue has to tell, by looking where nothing tells. */
  #listen(waits: boolean): void {
    const told = this.#handle.flags !== 0;
    if (waits && !told) {
      this.#untell ??= this.#handle.onceTold(() => {
        this.#untell = undefined;
        this.#serve(false);
      });
    } else {
      this.#untell?.();
      this.#untell = undefined;
    }
    if (waits && (told || this.#inside)) {
      this.#timer ??= setInterval(() => {
        if (this.#inside) queues.check(this.#handle.id);
        this.#serve(false);
      }, LOOK_MS).unref();
    } else {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  #lockOutcome(outcome: number): void {
    if (outcome === 0) queues.adoptLock(this.#handle.id);
    else if (outcome === codes.ownerDied) queues.check(this.#handle.id);
  }

  #has(status: number): boolean {
    return status >= 0 || status === codes.largeMessage;
  }

  /** The length of a small item in the slab, `largeMessage` when `#large` is whole, or why there is neither. */
  #next(expected: boolean, budget = BUDGET): number {
    if (this.#kept !== undefined) {
      this.#large.use(this.#kept);
      this.#kept = undefined;
      return codes.largeMessage;
    }
    const status = queues.get(this.#handle.id, slab, expected);
    if (status !== codes.largeMessage) return status;
    const length = queues.messageLength(this.#handle.id);
    return this.#large.fill(length, (bytes) => queues.getLarge(this.#handle.id, bytes, budget));
  }

  #item(status: number, take: Take<unknown>): unknown {
    return status >= 0 ? take.small(slab, status) : take.large(this.#large.take());
  }

  #failure(status: number): Error {
    this.#large.drop();
    const outOfStep =
      status === codes.truncated ||
      status === codes.badLength ||
      status === codes.unreadable ||
      status === codes.unexpectedDescriptor;
    if (!outOfStep) return queueError(status, 'read');
    return new QueueBroken({ cause: receiveError(status, this.#handle.channel.id, 'get', Infinity) });
  }

  #failAll(makeError: () => Error): void {
    for (const request of this.#waiting.take()) request.fail(makeError());
  }
}

/** Whether a status says that there is nothing to get now. */
function isWait(status: number): boolean {
  return status === codes.again || status === codes.busy;
}
