// SPDX-License-Identifier: MIT
//
// The putting half of a queue: who waits for a place, and who waits for what was accepted to be written.
import { setImmediate as nextTurn } from 'node:timers/promises';

import { startLimits, type Limits } from '../core/deadline.js';
import { BusyError, Full, queueError, TimeoutError } from '../core/errors.js';
import { Fifo } from '../core/fifo.js';
import { native } from '../native/addon.js';
import type { QueueHandle } from './handle.js';
import { LOOK_MS } from './handle.js';
import { flushUnwritten, takeTurn, type Hold } from '../event-loop/reactor.js';
import { LentBytes } from '../serialization/borrowed-bytes.js';

const codes = native.status;
const queues = native.queues;

/** An item as it is put: its bytes, or bytes of the caller's that are copied if they have to wait. */
export type Item = Uint8Array | LentBytes;

function putNative(id: number, item: Item, hasPlace: boolean): number {
  return item instanceof LentBytes
    ? queues.putWithPrefix(id, item.bytes, hasPlace, item.lead)
    : queues.put(id, item, hasPlace);
}

/** One put that waits for a place. */
interface Waiting {
  readonly bytes: Uint8Array;
  /** Its bytes were accepted, after which so many of them and others wait. */
  accept(waiting: number): void;
  fail(error: Error): void;
}

const resolved = Promise.resolve();

export class QueueWriter {
  readonly #handle: QueueHandle;
  readonly #highWaterMark: number;
  readonly #waiting = new Fifo<Waiting>();
  #immediate = false;
  #withdraw: (() => void) | undefined;
  #untell: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Whether anything was ever put here. */
  used = false;

  constructor(handle: QueueHandle, highWaterMark: number) {
    this.#handle = handle;
    this.#highWaterMark = highWaterMark;
  }

  /** Puts an item, after those that were put earlier. */
  put(item: Item, limits: Limits, hold: Hold): Promise<void> {
    if (this.#waiting.length > 0) {
      return limits.timeout > 0 ? this.#wait(item, limits, hold) : Promise.reject(new Full());
    }
    const status = putNative(this.#handle.id, item, false);
    if (status >= 0) {
      const accepted = this.#accepted(status, limits, hold);
      // Accepted it is at once, since nothing may wait for a loop that is busy; only who awaits it may have to.
      if (takeTurn()) return accepted;
      accepted.catch(() => undefined);
      return nextTurn().then(() => accepted);
    }
    if (status !== codes.again) return Promise.reject(queueError(status, 'write'));
    return limits.timeout > 0 ? this.#wait(item, limits, hold) : Promise.reject(new Full());
  }

  /** Puts an item if there is a place now. */
  putNow(item: Item): void {
    const status = this.#waiting.length > 0 ? codes.again : putNative(this.#handle.id, item, false);
    if (status === codes.again) throw new Full();
    if (status < 0) throw queueError(status, 'write');
    this.used = true;
  }

  /** Puts an item, blocking. */
  putSync(item: Item, deadline: number, operation: string): void {
    if (this.#waiting.length > 0) throw new BusyError(`${operation}: an asynchronous put is pending on this queue`);
    flushUnwritten();
    let status = putNative(this.#handle.id, item, false);
    while (status === codes.again && this.#handle.places !== undefined) {
      const outcome = this.#handle.take(this.#handle.places, deadline, operation);
      if (outcome === codes.timedOut) throw new Full();
      status = putNative(this.#handle.id, item, outcome === 0);
    }
    if (status < 0) throw queueError(status, 'write');
    this.used = true;
    if (status <= this.#highWaterMark) return;
    const written = this.#handle.written(this.#highWaterMark, deadline, operation);
    // It was accepted, and the time was for waiting.
    if (written < 0 && written !== codes.timedOut) throw queueError(written, 'write');
  }

  /** Resolves when everything that was accepted has been written. */
  whenWritten(limits: Limits, hold: Hold): Promise<void> {
    return this.#whenBelow(0, limits, hold, 'joinThread');
  }

  whenWrittenSync(deadline: number): void {
    const status = this.#handle.written(0, deadline, 'joinThreadSync');
    if (status === codes.timedOut) throw new TimeoutError('joinThreadSync');
    if (status < 0) throw queueError(status, 'write');
  }

  /** Ends the puts that still wait for a place. */
  close(makeError: () => Error): void {
    for (const waiting of this.#waiting.take()) waiting.fail(makeError());
    this.#rest();
  }

  #accepted(waiting: number, limits: Limits, hold: Hold): Promise<void> {
    this.used = true;
    if (waiting <= this.#highWaterMark) return resolved;
    return this.#whenBelow(this.#highWaterMark, limits, hold, undefined);
  }

  /** @param operation What times out; undefined if the end of the time is no error. */
  #whenBelow(most: number, limits: Limits, hold: Hold, operation: string | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        withdraw();
        cancel();
        hold.end();
        settle();
      };
      hold.begin();
      let cancel = (): void => undefined;
      const withdraw = this.#handle.onceWritten(most, (status) => {
        finish(() => {
          if (status < 0) reject(queueError(status, 'write'));
          else resolve();
        });
      });
      if (limits.signal === undefined && limits.timeout === Infinity) return;
      cancel = startLimits(
        limits,
        hold.on,
        () => new TimeoutError(operation ?? 'put'),
        (error) => {
          finish(() => {
            if (operation === undefined) resolve();
            else reject(error);
          });
        },
      );
    });
  }

  #wait(item: Item, limits: Limits, hold: Hold): Promise<void> {
    return new Promise((resolve, reject) => {
      let cancel = (): void => undefined;
      const waiting: Waiting = {
        bytes: item instanceof LentBytes ? item.copy() : item,
        accept: (left) => {
          cancel();
          hold.end();
          this.#accepted(left, limits, hold).then(resolve, reject);
        },
        fail: (error) => {
          cancel();
          hold.end();
          reject(error);
        },
      };
      hold.begin();
      if (limits.signal !== undefined || limits.timeout !== Infinity) {
        cancel = startLimits(
          limits,
          hold.on,
          () => new Full(),
          (error) => {
            this.#waiting.remove(waiting);
            waiting.fail(error);
            if (this.#waiting.length === 0) this.#rest();
          },
        );
      }
      this.#waiting.push(waiting);
      if (this.#waiting.length === 1) this.#serveSoon();
    });
  }

  /** In the next turn of the event loop: it may be the loop's turn that is missing, and not a place. */
  #serveSoon(): void {
    if (this.#immediate) return;
    this.#immediate = true;
    setImmediate(() => {
      this.#immediate = false;
      this.#serve(false);
    });
  }

  /** Puts what waits, as far as there are places. */
  #serve(hasPlace: boolean): void {
    let place = hasPlace;
    if (place && this.#waiting.length === 0) this.#handle.places?.post();
    for (let turn = 0; this.#waiting.length > 0; turn++) {
      if (turn === 64) {
        this.#serveSoon();
        return;
      }
      const first = this.#waiting.first as Waiting;
      const status = putNative(this.#handle.id, first.bytes, place);
      place = false;
      if (status === codes.again) {
        this.#watch();
        return;
      }
      this.#waiting.shift();
      if (status >= 0) first.accept(status);
      else first.fail(queueError(status, 'write'));
    }
    this.#rest();
  }

  #watch(): void {
    try {
      this.#withdraw ??= this.#handle.places?.request((outcome) => {
        this.#withdraw = undefined;
        this.#serve(outcome === 0);
      });
    } catch (error) {
      for (const waiting of this.#waiting.take()) waiting.fail(error as Error);
      return;
    }
    this.#untell ??= this.#handle.onceTold(() => {
      this.#untell = undefined;
      this.#serve(false);
    });
    // Who cannot be told looks.
    if (!this.#handle.hasLevel)
      this.#timer ??= setInterval(() => {
        this.#serve(false);
      }, LOOK_MS).unref();
  }

  /** Nobody waits. */
  #rest(): void {
    this.#withdraw?.();
    this.#untell?.();
    clearInterval(this.#timer);
    this.#withdraw = this.#untell = this.#timer = undefined;
  }
}
