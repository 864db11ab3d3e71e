// SPDX-License-Identifier: MIT
//
// Items with Connections in them, in queues of pickles. A process that puts one keeps the descriptors, and the process that has
// got the item collects them. The item has left the queue then, so it must not be lost while they are on their way.
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

  /** The item, when its descriptors are there or one of them could not be collected. */
  then<A = unknown, B = never>(
    onValue?: ((value: unknown) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.collect();
    return (this.#collected as Promise<void>).then(() => this.open()).then(onValue, onError);
  }

  /** Collects, blocking. An `InterruptedError` leaves the item as it is, and so does a `BusyError` while `collect` goes on. */
  collectSync(operation: string): void {
    this.#message.advanceSync(none, operation, Infinity);
  }

  /** The item. Called once. */
  open(): unknown {
    return this.#message.open();
  }

  /** Gives the item up. */
  drop(): void {
    this.#message.drop();
  }
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
