// SPDX-License-Identifier: MIT
//
// What the sender keeps of messages that wait in the native layer: whose memory is borrowed, and which calls are to be settled.
import type { KeepAlive } from '../../event-loop/keep-alive.js';
import { PendingCall } from '../../event-loop/pending-call.js';
import { countWait } from '../../event-loop/reactor.js';

/** One entry of the line of a sender. */
export interface QueuedEntry {
  /** How many entries of the native layer's line it stands for. A call that only waits for those before it: 0. */
  messages: number;
  /** The number in the native layer of a message that can be withdrawn. */
  readonly number: number;
  /** The caller's memory, while a part of the message is still read from it. */
  borrowed: Uint8Array | undefined;
  readonly offset: number;
  readonly size: number;
  readonly group: MessageGroup;
  /** Whether its messages were accepted, so that no caller learns of their failure. */
  accepted: boolean;
  /** The descriptors that belong to the message. */
  followers?: readonly QueuedEntry[];
}

/** An entry without memory of the caller's. */
export function entryOf(group: MessageGroup, messages: number, number = 0, accepted = false): QueuedEntry {
  return { messages, number, borrowed: undefined, offset: 0, size: 0, group, accepted };
}

/** Messages that have a common outcome, or the calls of several. */
export interface MessageGroup {
  /** What keeps the event loop alive for messages that were gathered. */
  readonly keepAlive?: KeepAlive;
  /** What the callers were given, unless the call is a blocking one. */
  readonly promises?: readonly Promise<void>[];
  /** So many of the messages of an entry were written. */
  written?(count: number): void;
  /** One of its entries is over: all of its messages were written. */
  over(): void;
  /** Settles the calls that are left: they are over, or one of the messages failed. Whatever comes later has no effect. */
  settle(error?: Error): void;
}

/** A send that waits: a message, and the descriptors that belong to it. */
export class PendingSend extends PendingCall<void> implements MessageGroup {
  /** How many of its entries are not over yet. */
  remaining = 1;

  get promises(): readonly Promise<void>[] {
    return [this.promise];
  }

  over(): void {
    if (--this.remaining === 0) this.settle();
  }

  settle(error?: Error): void {
    if (error === undefined) this.resolve();
    else this.reject(error);
  }
}

/** A send that blocks, and looks for itself. */
export class BlockingSend implements MessageGroup {
  remaining = 1;
  settled = false;
  error: Error | undefined;

  over(): void {
    if (--this.remaining === 0) this.settle();
  }

  settle(error?: Error): void {
    if (this.settled) return;
    this.settled = true;
    this.error = error;
  }
}

/** What keeps the event loop alive for messages that were gathered, one after the other, by the same Connection. */
abstract class GatheredMessages implements MessageGroup {
  readonly keepAlive: KeepAlive;
  #alive = true;

  constructor(keepAlive: KeepAlive) {
    this.keepAlive = keepAlive;
    keepAlive.begin();
  }

  over(): void {
    this.settle();
  }

  /** No message is left. */
  settle(): void {
    if (this.#alive) this.keepAlive.end();
    this.#alive = false;
  }
}

/** The calls of messages that were gathered. Each is settled by itself: a part of them may be written and the rest fail. */
export class GatheredSends extends GatheredMessages {
  readonly promises: Promise<void>[] = [];
  readonly #resolve: (() => void)[] = [];
  readonly #reject: ((error: Error) => void)[] = [];
  #settled = 0;

  add(): Promise<void> {
    countWait();
    const promise = new Promise<void>((resolve, reject) => {
      this.#resolve.push(resolve);
      this.#reject.push(reject);
    });
    this.promises.push(promise);
    return promise;
  }

  written(count: number): void {
    for (const end = this.#settled + count; this.#settled < end; this.#settled++) this.#resolve[this.#settled]?.();
  }

  override settle(error?: Error): void {
    if (error !== undefined) {
      for (; this.#settled < this.#reject.length; this.#settled++) this.#reject[this.#settled]?.(error);
    }
    super.settle();
  }
}

/** Messages whose calls were settled when the messages were accepted. */
export class AcceptedSends extends GatheredMessages {}
