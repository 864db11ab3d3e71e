// SPDX-License-Identifier: MIT
import { constants } from 'node:os';

import { systemError } from '../core/errors.js';
import { notLeased } from '../core/lease-errors.js';
import { native } from '../native/addon.js';
import type { MessageDecoder } from '../serialization/message-decoder.js';
import { BaseLease } from './base-lease.js';
import type { LeaseTicket, LeaseTransport } from './lease-transport.js';

const codes = native.status;

/** An item of a queue with leases, with its receipt. `JoinableQueue.getLease` resolves to this. */
export class Lease<T> extends BaseLease<T> {
  readonly #transport: LeaseTransport;
  readonly #receipt: number;

  /** @internal */
  constructor(transport: LeaseTransport, { receipt, deliveries }: LeaseTicket, item: T) {
    super(item, deliveries);
    this.#transport = transport;
    this.#receipt = receipt;
  }

  /** As `done`, blocking the thread. */
  doneSync(): void {
    this.#endSync(true, 'doneSync');
  }

  /** As `release`, blocking the thread. */
  releaseSync(): void {
    this.#endSync(false, 'releaseSync');
  }

  /** @internal */
  protected override endLease(finished: boolean): Promise<void> {
    return endLease(this.#transport, this.#receipt, finished);
  }

  #endSync(finished: boolean, operation: string): void {
    this.begin();
    try {
      endLeaseSync(this.#transport, this.#receipt, finished, operation);
    } catch (error) {
      this.failed(error);
    }
  }
}

/** @returns Whether the call must be repeated. */
function attempt(transport: LeaseTransport, receipt: number, finished: boolean): boolean {
  const status = transport.endLease(receipt, finished);
  if (status === 0) return false;
  if (status === codes.busy) return true;
  // EBADF: the queue was closed, which has ended its leases.
  if (status === codes.notFound || status === -constants.errno.EBADF) throw notLeased();
  throw systemError(status, 'write');
}

/** Ends a lease, the oldest one of this consumer for 0. */
export async function endLease(transport: LeaseTransport, receipt: number, finished: boolean): Promise<void> {
  while (attempt(transport, receipt, finished)) {
    await new Promise<void>((resolve) => {
      transport.onceFree(resolve);
    });
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
