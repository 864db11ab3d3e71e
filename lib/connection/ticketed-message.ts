// SPDX-License-Identifier: MIT
//
// Pickles with Connections in them. Python pickles a Connection as a ticket with which the receiver collects a
// descriptor from the sender. Collecting waits, and decoding must not. So such a message is decoded twice: first to
// find the tickets, and again when all descriptors are there.
import { IncompleteMessage } from './receiving/incomplete-message.js';
import { deadlineAfter } from '../core/deadline.js';
import { BusyError, InterruptedError, TimeoutError, UnpicklingError } from '../core/errors.js';
import { native } from '../native/addon.js';
import { MessageContext, type ArrayCarrier } from '../reduction/attachments.js';
import type { Codec } from '../serialization/codec.js';

/** The right to a descriptor that another process keeps for the receiver of a message. */
export interface DescriptorTicket {
  /** Collects the descriptor, which belongs to the caller then. */
  collect(limit: number): Promise<number>;
  /**
   * The same, blocking. A `TimeoutError` means that nothing has happened yet, and the call can be repeated.
   *
   * @param limit The deadline for collecting, after which it fails. The deadline of the call may be earlier.
   */
  collectSync(deadline: number, limit: number): number;
}

/** Most tickets of a message. Collecting one takes a connection to another process, so no honest message has more. */
const MOST_TICKETS = 64;

/** How long collecting all descriptors of a message may take. Later messages wait behind it. */
const COLLECT_MS = 10_000;

/** What the reducers of a format get to know about one message that a Connection decodes. */
export class DecodeContext extends MessageContext {
  readonly #descriptors: number[] | undefined;
  #tickets: DescriptorTicket[] | undefined;

  /** @param descriptors Those that were collected, in the order of their tickets. Each use takes one out. */
  constructor(descriptors?: number[], carrier?: ArrayCarrier) {
    super();
    this.carrier = carrier;
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

/** A message whose descriptors have to be collected before it can be decoded. */
export class DeferredMessage extends IncompleteMessage {
  readonly waitsElsewhere = true;
  readonly #tickets: readonly DescriptorTicket[];
  readonly #codec: Codec;
  readonly #message: Buffer;
  readonly #carrier: ArrayCarrier | undefined;
  readonly #fds: number[] = [];
  /** When collecting fails. It begins with the first attempt. */
  #limit: number | undefined;
  /** Why a descriptor could not be collected. */
  #failure: { readonly error: unknown } | undefined;
  /** Whether descriptors are collected in the background. */
  #started = false;
  #dropped = false;

  /** @param message The message, in memory that may be kept. */
  constructor(tickets: readonly DescriptorTicket[], codec: Codec, message: Buffer, carrier?: ArrayCarrier) {
    super();
    this.#tickets = tickets;
    this.#codec = codec;
    this.#message = message;
    this.#carrier = carrier;
  }

  /** Also after a failure, which `open` throws. */
  get complete(): boolean {
    return this.#failure !== undefined || this.#fds.length === this.#tickets.length;
  }

  /** Collects the descriptors in the background. */
  advance(_nextDescriptor: unknown, whenMore: () => void): boolean {
    if (!this.#started && !this.complete) {
      this.#started = true;
      void this.#collect().then(whenMore);
    }
    return this.complete;
  }

  advanceSync(_nextDescriptor: unknown, operation: string, deadline: number): void {
    if (this.complete) return;
    if (this.#started) throw new BusyError(`${operation}: an asynchronous receive has begun with this message`);
    try {
      this.#limit ??= deadlineAfter(COLLECT_MS);
      for (const ticket of this.#tickets.slice(this.#fds.length)) {
        this.#fds.push(ticket.collectSync(deadline, this.#limit));
      }
    } catch (error) {
      if (error instanceof TimeoutError || error instanceof InterruptedError) throw error;
      this.#failure = { error };
    }
  }

  /** Decodes the message again, with its descriptors. Throws if one of them could not be collected. */
  open(): unknown {
    const context = new DecodeContext(this.#fds, this.#carrier);
    try {
      if (this.#failure !== undefined) throw this.#failure.error;
      return this.#codec.fromOwned(this.#message, context);
    } catch (error) {
      context.failed();
      throw error;
    } finally {
      this.drop();
    }
  }

  drop(): void {
    this.#dropped = true;
    for (const fd of this.#fds.splice(0)) native.closeDescriptor(fd);
  }

  async #collect(): Promise<void> {
    try {
      this.#limit ??= deadlineAfter(COLLECT_MS);
      // A blocking receive that timed out may have collected the first ones.
      for (const ticket of this.#tickets.slice(this.#fds.length)) {
        if (this.#dropped) break;
        this.#fds.push(await ticket.collect(this.#limit));
      }
    } catch (error) {
      this.#failure = { error };
    }
    if (this.#dropped) this.drop();
  }
}
