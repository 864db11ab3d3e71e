// SPDX-License-Identifier: MIT
import type { KeepAlive } from '../../event-loop/keep-alive.js';
import { PendingCall } from '../../event-loop/pending-call.js';

/** A receive that waits. */
export interface PendingReceive {
  /** The Connection that it belongs to. */
  readonly owner: object;
  /** Makes progress with it. True once it has ended. */
  proceed(): boolean;
  /** Ends it with the value of its message. */
  finish(open: () => unknown): void;
  reject(error: unknown): void;
}

/** A receive that found nothing when it was called. */
export class ReceiveRequest<T> extends PendingCall<T> implements PendingReceive {
  readonly owner: object;
  readonly #receive: (mayWait: boolean) => { value: T } | undefined;

  constructor(receive: (mayWait: boolean) => { value: T } | undefined, owner: object, keepAlive: KeepAlive) {
    super(keepAlive);
    this.#receive = receive;
    this.owner = owner;
  }

  /** A user's decoder may close the Connection, which ends the receive whose message is being decoded. */
  proceed(): boolean {
    this.attempt(() => {
      const received = this.#receive(false);
      if (received !== undefined) this.resolve(received.value);
    });
    return this.ended;
  }

  finish(open: () => unknown): void {
    this.attempt(() => {
      this.resolve(open() as T);
    });
  }
}
