// SPDX-License-Identifier: MIT
//
// Items with Connections in them, in queues of pickles. A process that puts one keeps the descriptors, and the process that has
// got the item collects them. The item has left the queue then, so it must not be lost while they are on their way.
import { isLimited, type Limits } from '../core/deadline.js';
import { Empty, TimeoutError } from '../core/errors.js';
import type { KeepAlive } from '../event-loop/keep-alive.js';
import { PendingCall } from '../event-loop/pending-call.js';
import { openHere, type ChannelFormat } from '../connection/channel-format.js';
import { IncompleteMessage } from '../connection/receiving/incomplete-message.js';
import type { MessageDecoder } from '../serialization/message-decoder.js';

/** Items with tickets only have descriptors that come from elsewhere. */
function none(): never {
  throw new TypeError('No descriptor comes through a queue');
}

/** An item whose descriptors have to be collected. A promise that is resolved with it waits for them. */
export class ArrivingItem implements PromiseLike<unknown> {
  readonly #message: IncompleteMessage;
  #collected: Promise<void> | undefined;
  /** How the call that has the item waits for it. */
  #wait = (): Promise<unknown> => this.#arrived();

  constructor(message: IncompleteMessage) {
    this.#message = message;
  }

  /** Collects in the background. True once the item can be opened. */
  collect(): boolean {
    this.#collected ??= new Promise((resolve) => {
      if (this.#message.advance(none, resolve)) resolve();
    });
    return this.#message.complete;
  }

  /**
   * The limits of the call that has the item. If they end the call, the item waits for another one.
   *
   * @param giveBack Keeps the item for that.
   */
  limit(limits: Limits, keepAlive: KeepAlive, giveBack: () => void): void {
    this.#wait = () => {
      if (!isLimited(limits)) return this.#arrived();
      const call = new PendingCall<unknown>(keepAlive);
      call.limit(limits, () => new Empty(), giveBack);
      void (this.#collected as Promise<void>).then(() => {
        if (!call.ended) call.attempt(() => call.resolve(this.open()));
      });
      return call.promise;
    };
  }

  /** The item, when its descriptors are there or one of them could not be collected. */
  then<A = unknown, B = never>(
    onValue?: ((value: unknown) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.collect();
    return this.#wait().then(onValue, onError);
  }

  /**
   * Collects, blocking. An `InterruptedError` leaves the item as it is, and so does `Empty` at the deadline and a `BusyError`
   * while `collect` goes on.
   */
  collectSync(operation: string, deadline: number): void {
    try {
      this.#message.advanceSync(none, operation, deadline);
    } catch (error) {
      throw error instanceof TimeoutError ? new Empty() : error;
    }
  }

  /** The item. Called once. */
  open(): unknown {
    return this.#message.open();
  }

  async #arrived(): Promise<unknown> {
    await this.#collected;
    return this.open();
  }

  /** Gives the item up. */
  drop(): void {
    this.#message.drop();
  }
}

/** What waits for the next calls: an item, or why one could not be decoded. */
export type Postponed = { readonly item: ArrivingItem } | { readonly error: unknown };

/** Gives the item that is on its way, if an answer is one or begins with one, the limits of the call that gets it. */
export function limitArrival(
  answer: unknown,
  limits: Limits,
  keepAlive: KeepAlive,
  giveBack: (item: ArrivingItem) => void,
): unknown {
  const item: unknown = Array.isArray(answer) ? answer[0] : answer;
  if (item instanceof ArrivingItem) item.limit(limits, keepAlive, () => giveBack(item));
  return answer;
}

/** A batch for its caller. An item whose Connections are on their way is alone in its batch. */
export function openBatch<T>(batch: unknown): T[] | Promise<T[]> {
  const [first] = batch as unknown[];
  return first instanceof ArrivingItem ? first.then((item) => [item as T]) : (batch as T[]);
}

/** Decodes the items of a queue. The value of an item with Connections may be an ArrivingItem. */
export function itemDecoder({ forReceiver }: ChannelFormat): MessageDecoder<unknown> {
  const itemOf = (value: unknown): unknown =>
    value instanceof IncompleteMessage && value.waitsElsewhere ? new ArrivingItem(value) : openHere(value);
  return {
    fromBorrowed: (memory, length) => itemOf(forReceiver.fromBorrowed(memory, length)),
    fromOwned: (message) => itemOf(forReceiver.fromOwned(message)),
  };
}
