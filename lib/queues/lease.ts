// SPDX-License-Identifier: MIT
import { systemError, TaskDoneError } from '../core/errors.js';
import { notLeased } from '../core/lease-errors.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { native } from '../native/addon.js';
import type { MessageDecoder } from '../serialization/message-decoder.js';
import type { LeaseTicket, LeaseTransport } from './lease-transport.js';

const codes = native.status;

/**
 * An item of a queue with leases, together with the receipt for it. `JoinableQueue.getLease` resolves to this.
 *
 * The consumer ends the lease by `done()` or `release()`. If the consumer ends before that, the item is handed out
 * again. With `await using`, a lease that was not ended is released.
 */
export class Lease<T> {
  readonly #transport: LeaseTransport;
  readonly #receipt: number;
  /** The item. */
  readonly item: T;
  /** How often the item was handed out, this time included: 1 the first time. */
  readonly deliveries: number;
  #ended = false;

  /** @internal */
  constructor(transport: LeaseTransport, { receipt, deliveries }: LeaseTicket, item: T) {
    this.#transport = transport;
    this.#receipt = receipt;
    this.item = item;
    this.deliveries = deliveries;
  }

  /** Whether the lease was ended here. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * The item is finished: its memory is free, and it is never handed out again. As `taskDone()` for this very item.
   * Rejects with `TaskDoneError` if the lease has ended, by this object, by `taskDone`, or because the queue was closed.
   */
  async done(): Promise<void> {
    await this.#end(true);
  }

  /** As `done`, blocking the thread. */
  doneSync(): void {
    this.#endSync(true, 'doneSync');
  }

  /**
   * Gives the item back: it is handed out again, to any consumer, before all items that were never handed out. Rejects
   * as `done`.
   */
  async release(): Promise<void> {
    await this.#end(false);
  }

  /** As `release`, blocking the thread. */
  releaseSync(): void {
    this.#endSync(false, 'releaseSync');
  }

  /** `release()` unless the lease has ended, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.#end(false).catch(ignoreEnded);
  }

  async #end(finished: boolean): Promise<void> {
    await endLease(this.#transport, this.#begin(), finished);
  }

  #endSync(finished: boolean, operation: string): void {
    endLeaseSync(this.#transport, this.#begin(), finished, operation);
  }

  #begin(): number {
    if (this.#ended) throw notLeased();
    this.#ended = true;
    return this.#receipt;
  }
}

function ignoreEnded(error: unknown): void {
  if (!(error instanceof TaskDoneError)) throw error;
}

/** @returns Whether the call must be repeated. */
function attempt(transport: LeaseTransport, receipt: number, finished: boolean): boolean {
  const status = transport.endLease(receipt, finished);
  if (status === 0) return false;
  if (status === codes.busy) return true;
  if (status === codes.notFound) throw notLeased();
  throw systemError(status, 'write');
}

/** Ends a lease, the oldest one of this consumer for 0. */
export async function endLease(transport: LeaseTransport, receipt: number, finished: boolean): Promise<void> {
  while (attempt(transport, receipt, finished)) {
    await new Promise<void>((resolve) => transport.onceFree(resolve));
  }
}

/** As `endLease`, blocking. */
export function endLeaseSync(transport: LeaseTransport, receipt: number, finished: boolean, operation: string): void {
  while (attempt(transport, receipt, finished)) transport.blockUntilFree(operation);
}

/** Decodes items to leases: each with the ticket of the item that the transport has just found. */
export function leaseDecoder<T>(transport: LeaseTransport, decoder: MessageDecoder<T>): MessageDecoder<Lease<T>> {
  return {
    fromBorrowed: (memory, length) => {
      const { ticket } = transport;
      return new Lease(transport, ticket, decoder.fromBorrowed(memory, length));
    },
    fromOwned: (message) => {
      const { ticket } = transport;
      return new Lease(transport, ticket, decoder.fromOwned(message));
    },
  };
}

makeFair(Lease.prototype, Symbol.asyncDispose);
