// SPDX-License-Identifier: MIT
import type { IncompleteMessage } from './incomplete-message.js';
import type { PendingReceive } from './receive-request.js';

/** The order in which messages have come, over all channels. */
const numbers = new WeakMap<IncompleteMessage, number>();
let count = 0;

/**
 * The messages of a channel that were received while something that belongs to them is still to come: those that the next
 * receives go on with, and those that wait for another process and belong to a receive already. A sender that is slow to hand
 * out a descriptor holds up the receive that has got its message, and no later one.
 */
export class KeptMessages {
  readonly #next: IncompleteMessage[] = [];
  /** Made when it is needed, since most connections never do: its memory would be a tenth of an idle connection's. */
  #owned: Map<PendingReceive, IncompleteMessage> | undefined;

  /** The message that the next receive goes on with. */
  get first(): IncompleteMessage | undefined {
    return this.#next[0];
  }

  /** Whether a receive waits for another process. */
  get owned(): boolean {
    return this.#owned !== undefined && this.#owned.size > 0;
  }

  /** Keeps a message for the next receives, if it is not one already. One that a receive has given up is in its old place. */
  keep(message: IncompleteMessage): void {
    if (this.#next.includes(message)) return;
    const number = numbers.get(message) ?? count++;
    numbers.set(message, number);
    const later = this.#next.findIndex((other) => (numbers.get(other) as number) > number);
    this.#next.splice(later < 0 ? this.#next.length : later, 0, message);
  }

  /** Takes out the first message. */
  shift(): IncompleteMessage | undefined {
    return this.#next.shift();
  }

  /** Gives the first message to the receive that waits for it. */
  give(receive: PendingReceive): void {
    this.#owned ??= new Map();
    this.#owned.set(receive, this.#next.shift() as IncompleteMessage);
  }

  /** Takes back the message of a receive that ends early. False if it has none. */
  takeBack(receive: PendingReceive): boolean {
    const message = this.#owned?.get(receive);
    if (message === undefined) return false;
    this.#owned?.delete(receive);
    this.keep(message);
    return true;
  }

  /** The receives that have a message, for which `which` is true. Their messages are kept for others. */
  takeBackAll(which: (receive: PendingReceive) => boolean): PendingReceive[] {
    const receives = [...(this.#owned?.keys() ?? [])].filter(which);
    for (const receive of receives) this.takeBack(receive);
    return receives;
  }

  /** Ends the receives whose messages are complete. */
  settle(): void {
    for (const [receive, message] of this.#owned ?? []) {
      if (!message.complete) continue;
      this.#owned?.delete(receive);
      receive.finish(() => message.open());
    }
  }

  /** Gives up the messages that no receive has. */
  drop(): void {
    for (const message of this.#next.splice(0)) message.drop();
  }
}
