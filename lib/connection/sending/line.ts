// SPDX-License-Identifier: MIT
//
// The line of a sender: the entries for the messages that wait in the native layer, in their order.
import { Fifo } from '../../core/fifo.js';
import type { KeepAlive } from '../../event-loop/keep-alive.js';
import { native } from '../../native/addon.js';
import { AcceptedSends, entryOf, GatheredSends, type QueuedEntry } from './message-group.js';

/** What the native layer returns for a message that was taken back. */
export const WITHDRAWN = 1;

export class Line {
  readonly #id: number;
  readonly #entries = new Fifo<QueuedEntry>();
  /** Those of them whose memory is borrowed. */
  readonly #borrowers = new Fifo<QueuedEntry>();
  /** The last entry, while messages can be added to it. */
  #gathered: QueuedEntry | undefined;

  constructor(id: number) {
    this.#id = id;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** The first entry whose memory is borrowed. */
  get borrower(): QueuedEntry | undefined {
    return this.#borrowers.first;
  }

  push(entry: QueuedEntry): void {
    this.#gathered = undefined;
    this.#entries.push(entry);
    if (entry.borrowed !== undefined) this.#borrowers.push(entry);
  }

  /** Adds one message whose caller waits for it. */
  gather(keepAlive: KeepAlive): Promise<void> {
    const last = this.#gathered?.group;
    if (last instanceof GatheredSends && last.keepAlive === keepAlive) {
      (this.#gathered as QueuedEntry).messages++;
      return last.add();
    }
    const group = new GatheredSends(keepAlive);
    const entry = entryOf(group, 1);
    this.push(entry);
    this.#gathered = entry;
    return group.add();
  }

  /** Adds one message that was accepted. */
  accept(keepAlive: KeepAlive): void {
    const last = this.#gathered;
    if (last?.accepted === true && last.group.keepAlive === keepAlive) {
      last.messages++;
      return;
    }
    const entry = entryOf(new AcceptedSends(keepAlive), 1, 0, true);
    this.push(entry);
    this.#gathered = entry;
  }

  /** The native layer has completed so many of its entries. */
  complete(count: number): void {
    for (let left = count; left > 0;) {
      const entry = this.#entries.first;
      if (entry === undefined) return;
      const done = Math.min(left, entry.messages);
      left -= done;
      entry.messages -= done;
      entry.group.written?.(done);
      if (entry.messages > 0) return;
      this.#shift();
      if (entry.borrowed !== undefined) this.#borrowers.shift();
    }
    this.#settleFirst();
  }

  /**
   * Takes a message back, with its descriptors: `WITHDRAWN`. Of a message that was begun the rest is written from a copy: 0.
   * A negative result says that there is no copy, so the caller must break off.
   */
  withdraw(entry: QueuedEntry): number {
    const status = this.#withdraw(entry);
    // Nothing of a message that was not begun is written, so nothing of its descriptors is either.
    if (status === WITHDRAWN) for (const follower of entry.followers ?? []) this.#withdraw(follower);
    return status;
  }

  /** Removes an entry of which the native layer knows nothing. */
  remove(entry: QueuedEntry): void {
    this.#entries.remove(entry);
  }

  /** Removes all entries. */
  clear(): QueuedEntry[] {
    this.#gathered = undefined;
    this.#borrowers.removeAll();
    return this.#entries.removeAll();
  }

  #withdraw(entry: QueuedEntry): number {
    const status = native.withdraw(this.#id, entry.number, entry.borrowed, entry.offset, entry.size);
    this.#borrowers.remove(entry);
    if (status === WITHDRAWN) {
      entry.messages = 0;
      this.#entries.remove(entry);
      this.#settleFirst();
    } else {
      // It keeps its place in the order.
      entry.borrowed = undefined;
    }
    return status;
  }

  /** Settles the calls that have waited for what was before them. */
  #settleFirst(): void {
    while (this.#entries.first?.messages === 0) this.#shift();
  }

  #shift(): void {
    const entry = this.#entries.shift();
    if (entry === this.#gathered) this.#gathered = undefined;
    entry?.group.over();
  }
}
