// SPDX-License-Identifier: MIT
import { TaskDoneError } from '../core/errors.js';
import { notLeased } from '../core/lease-errors.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { markAsOwn } from '../reduction/shareable.js';

/**
 * An item that is leased to this consumer, together with the receipt for it. The consumer ends the lease by `done()` or
 * `release()`. If the consumer ends before that, the item is handed out again. With `await using`, a lease that was not
 * ended is released.
 */
export abstract class BaseLease<T> {
  /** The item. */
  readonly item: T;
  /** How often the item was handed out, this time included: 1 the first time. */
  readonly deliveries: number;
  #ended = false;

  /** @internal */
  protected constructor(item: T, deliveries: number) {
    markAsOwn(this);
    this.item = item;
    this.deliveries = deliveries;
  }

  /** Whether the lease was ended here. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * The item is finished: its memory is free, and it is never handed out again. As `taskDone()` for this very item.
   * Rejects with `TaskDoneError` if the lease has ended, by this object, by `taskDone`, because the queue was closed, or
   * because it has run out.
   */
  async done(): Promise<void> {
    await this.#end(true);
  }

  /**
   * Gives the item back: it is handed out again, to any consumer, before all items that were never handed out. Rejects
   * as `done`.
   */
  async release(): Promise<void> {
    await this.#end(false);
  }

  /** `release()` unless the lease has ended, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.#end(false).catch(ignoreEnded);
  }

  /** @internal Ends the lease itself. */
  protected abstract endLease(finished: boolean): Promise<void>;

  /** @internal Called before each end, so that a lease ends once. */
  protected begin(): void {
    if (this.#ended) throw notLeased();
    this.#ended = true;
  }

  /** @internal Called with the error of an end. Unless the lease has ended otherwise, the end can be repeated. */
  protected failed(error: unknown): never {
    if (!(error instanceof TaskDoneError)) this.#ended = false;
    throw error;
  }

  async #end(finished: boolean): Promise<void> {
    this.begin();
    try {
      await this.endLease(finished);
    } catch (error) {
      this.failed(error);
    }
  }
}

function ignoreEnded(error: unknown): void {
  if (!(error instanceof TaskDoneError)) throw error;
}

makeFair(BaseLease.prototype, 'done', 'release', Symbol.asyncDispose);
