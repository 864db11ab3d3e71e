// SPDX-License-Identifier: MIT
//
// Pickles in which Connections are. Python pickles a Connection as a ticket with which the receiver collects a descriptor
// from the sender. Collecting waits, and decoding must not, so such a message is decoded twice: first to find the tickets, and
// again when all descriptors are there.
import { UnpicklingError } from '../core/errors.js';
import { native } from '../native/addon.js';

/** One ticket. */
export interface Ticket {
  /** Collects the descriptor, which belongs to the caller then. */
  collect(): Promise<number>;
  /** The same, blocking. With a `TimeoutError` nothing has happened, and it can be repeated. */
  collectSync(deadline: number): number;
}

/** More than a message can be meant to have: each of them is a connection to another process. */
const MOST_TICKETS = 64;

/** Whether a message is being decoded by somebody who can collect. */
let claiming = false;
/** What was found in it. */
let tickets: Ticket[] | undefined;
/** Descriptors that have been collected for it, and what takes back what was made of them. */
let collected: number[] = [];
let made: (() => void)[] = [];
/** What takes back what was given away in the value that is being encoded. */
let given: (() => void)[] = [];

/** Whether tickets may be used at this moment: only while a Connection decodes what it has received. */
export function mayClaim(): boolean {
  return claiming;
}

/** The descriptor for a ticket, which the caller owns then; undefined while it has yet to be collected. */
export function claim(ticket: Ticket): number | undefined {
  (tickets ??= []).push(ticket);
  if (tickets.length > MOST_TICKETS) throw new UnpicklingError(`There are more than ${MOST_TICKETS} Connections`);
  return collected.shift();
}

/** What was made of a descriptor is closed by `close` if the rest of the message cannot be decoded. */
export function hasMade(close: () => void): void {
  made.push(close);
}

/** Something was given away with a value that is being encoded; `undo` takes it back if that fails. */
export function hasGiven(undo: () => void): void {
  given.push(undo);
}

function callAll(callbacks: (() => void)[]): void {
  for (const callback of callbacks.splice(0)) callback();
}

/** Encodes a value in which there may be something to be given away. */
export function encodeGiving(encode: (value: unknown) => Uint8Array, value: unknown): Uint8Array {
  given = [];
  try {
    return encode(value);
  } catch (error) {
    callAll(given);
    throw error;
  }
}

/** Decodes a message: its value, or a ClaimedMessage. `keep` makes a copy of the message that can be decoded later. */
export function decodeClaiming(decode: () => unknown, keep: () => () => unknown): unknown {
  let value: unknown;
  let found: Ticket[] | undefined;
  claiming = true;
  tickets = undefined;
  try {
    value = decode();
  } finally {
    claiming = false;
    found = tickets;
    tickets = undefined;
  }
  return found === undefined ? value : new ClaimedMessage(found, keep());
}

/** A message whose descriptors have to be collected before it can be decoded. */
export class ClaimedMessage {
  readonly #tickets: readonly Ticket[];
  readonly #decode: () => unknown;
  readonly #fds: number[] = [];
  #failure: { readonly error: unknown } | undefined;
  #started = false;
  #dropped = false;

  constructor(found: readonly Ticket[], decode: () => unknown) {
    this.#tickets = found;
    this.#decode = decode;
  }

  /** Whether they are being collected in the background. */
  get started(): boolean {
    return this.#started;
  }

  /** Whether `open` can be called. */
  get complete(): boolean {
    return this.#failure !== undefined || this.#fds.length === this.#tickets.length;
  }

  /** Collects them in the background. `done` is called once, later. */
  start(done: () => void): void {
    if (this.#started) return;
    this.#started = true;
    void this.#collect().then(done);
  }

  collectSync(deadline: number): void {
    while (!this.complete) this.#fds.push((this.#tickets[this.#fds.length] as Ticket).collectSync(deadline));
  }

  /** The value. Throws if a descriptor could not be had. */
  open(): unknown {
    if (this.#failure !== undefined) {
      this.drop();
      throw this.#failure.error;
    }
    claiming = true;
    tickets = undefined;
    collected = this.#fds;
    made = [];
    try {
      return this.#decode();
    } catch (error) {
      callAll(made);
      throw error;
    } finally {
      claiming = false;
      tickets = undefined;
      collected = [];
      this.drop();
    }
  }

  /** Nobody will open it. */
  drop(): void {
    this.#dropped = true;
    for (const fd of this.#fds.splice(0)) native.closeDescriptor(fd);
  }

  async #collect(): Promise<void> {
    try {
      for (const ticket of this.#tickets) {
        if (this.#dropped) break;
        this.#fds.push(await ticket.collect());
      }
    } catch (error) {
      this.#failure = { error };
    }
    if (this.#dropped) this.drop();
  }
}
