// SPDX-License-Identifier: MIT
//
// Sends that resolve when their message is accepted: how much may wait, which sends wait for room, and what became of messages
// whose callers have gone on.
import { MessagesLost } from '../../core/errors.js';
import { Fifo } from '../../core/fifo.js';
import { toldAtExit } from '../../event-loop/exit.js';
import type { PendingSend, QueuedEntry } from './message-group.js';

/** A message for which there was no room. */
interface Waiting {
  readonly entry: QueuedEntry;
  readonly call: PendingSend;
  /** Where it ends, in bytes of all that were sent. */
  readonly endsAt: number;
}

export class Acceptance {
  readonly #bound: number;
  /** How many bytes were put in line, and how many of them are known to be written. */
  #sent = 0;
  #written = 0;
  readonly #waiting = new Fifo<Waiting>();
  #lost: MessagesLost | undefined;

  /** @param bound How many bytes may wait to be written. */
  constructor(bound: number) {
    this.#bound = bound;
  }

  /** Whether there is room for so many bytes more. */
  hasRoom(bytes: number): boolean {
    return this.#sent + bytes - this.#written <= this.#bound;
  }

  add(bytes: number): void {
    this.#sent += bytes;
  }

  /** A message for which there was no room. Its send resolves when there is, or when the message is written. */
  addWaiting(entry: QueuedEntry, call: PendingSend, bytes: number): void {
    this.#sent += bytes;
    this.#waiting.push({ entry, call, endsAt: this.#sent });
  }

  /** The native layer has so many bytes that are not written yet. */
  update(pending: number): void {
    this.#written = this.#sent - pending;
    for (let first = this.#waiting.first; first !== undefined; first = this.#waiting.first) {
      const { entry, call, endsAt } = first;
      // What is in the caller's memory cannot be left to itself.
      if (!call.ended && (entry.borrowed !== undefined || endsAt - this.#written > this.#bound)) return;
      this.#waiting.shift();
      // A call that has given up knows what became of its message.
      entry.accepted = !call.ended;
      call.settle();
    }
  }

  /** Messages that were accepted are not written. The next call is told, or the warning at the end of the process. */
  lose(count: number, cause: Error): MessagesLost {
    this.#lost = new MessagesLost(count + (this.takeLost()?.count ?? 0), { cause });
    toldAtExit(this.#lost, true);
    return this.#lost;
  }

  /** What is to be told. It is told once. */
  takeLost(): MessagesLost | undefined {
    const lost = this.#lost;
    if (lost === undefined) return undefined;
    this.#lost = undefined;
    toldAtExit(lost, false);
    return lost;
  }
}
