// SPDX-License-Identifier: MIT
//
// Pickles with Connections in them. Python pickles a Connection as a ticket with which the receiver collects a descriptor
// from the sender. Collecting waits, and decoding must not. So such a message is decoded twice: first to find the tickets,
// and again when all descriptors are there.
import { UnpicklingError } from '../core/errors.js';
import { native } from '../native/addon.js';
import type { Codec } from '../serialization/codec.js';

/** The right to a descriptor that another process keeps for the receiver of a message. */
export interface DescriptorTicket {
  /** Collects the descriptor, which belongs to the caller then. */
  collect(): Promise<number>;
  /** The same, blocking. A `TimeoutError` means that nothing has happened yet, and the call can be repeated. */
  collectSync(deadline: number): number;
}

/** More than a message can be meant to have: each of them is a connection to another process. */
const MOST_TICKETS = 64;

/** What the hooks of a format are told about one message that a Connection encodes. */
export class MessageContext {
  #undo: (() => void)[] | undefined;

  /** Calls `undo` if the message cannot be encoded, or decoded, after all. */
  onFailure(undo: () => void): void {
    (this.#undo ??= []).push(undo);
  }

  /** Undoes what was done for the message. */
  failed(): void {
    for (const undo of this.#undo?.splice(0) ?? []) undo();
  }
}

/** What the reducers of a format are told about one message that a Connection decodes. */
export class DecodeContext extends MessageContext {
  readonly #descriptors: number[] | undefined;
  #tickets: DescriptorTicket[] | undefined;

  /** @param descriptors Those that were collected, in the order of their tickets. They are taken out as they are used. */
  constructor(descriptors?: number[]) {
    super();
    this.#descriptors = descriptors;
  }

  /** The tickets in the message; undefined if there are none. */
  get tickets(): readonly DescriptorTicket[] | undefined {
    return this.#tickets;
  }

  /** The descriptor for a ticket, which the caller owns from now on; undefined while it has yet to be collected. */
  claim(ticket: DescriptorTicket): number | undefined {
    (this.#tickets ??= []).push(ticket);
    if (this.#tickets.length > MOST_TICKETS)
      throw new UnpicklingError(`There are more than ${MOST_TICKETS} Connections`);
    return this.#descriptors?.shift();
  }
}

/** Encodes a value in which there may be something to be given away, which is taken back if that fails. */
export function encodeShared(codec: Codec, value: unknown): Uint8Array {
  const context = new MessageContext();
  try {
    return codec.encode(value, context);
  } catch (error) {
    context.failed();
    throw error;
  }
}

/** A message whose descriptors have to be collected before it can be decoded. */
export class DeferredMessage {
  readonly #tickets: readonly DescriptorTicket[];
  readonly #codec: Codec;
  readonly #message: Buffer;
  readonly #fds: number[] = [];
  #failure: { readonly error: unknown } | undefined;
  #started = false;
  #dropped = false;

  /** @param message The message, in memory that may be kept. */
  constructor(tickets: readonly DescriptorTicket[], codec: Codec, message: Buffer) {
    this.#tickets = tickets;
    this.#codec = codec;
    this.#message = message;
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
    while (!this.complete) this.#fds.push((this.#tickets[this.#fds.length] as DescriptorTicket).collectSync(deadline));
  }

  /** The value. Throws if a descriptor could not be had. */
  open(): unknown {
    if (this.#failure !== undefined) {
      this.drop();
      throw this.#failure.error;
    }
    const context = new DecodeContext(this.#fds);
    try {
      return this.#codec.fromOwned(this.#message, context);
    } catch (error) {
      context.failed();
      throw error;
    } finally {
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
