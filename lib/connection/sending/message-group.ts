// SPDX-License-Identifier: MIT
//
// What the sender keeps of messages that wait in the native layer: whose memory is borrowed, and which call is to be settled.
import { PendingCall } from '../../event-loop/pending-call.js';

/** One entry of the native layer's line: a message, or a descriptor that belongs to the message before it. */
export interface QueuedEntry {
  /** Its number in the native layer. */
  readonly number: number;
  /** The caller's memory, while a part of the message is still read from it. */
  borrowed: Uint8Array | undefined;
  readonly offset: number;
  readonly size: number;
  readonly group: MessageGroup;
  /** The descriptors that belong to the message. */
  followers?: readonly QueuedEntry[];
}

/** The entry of a descriptor, which has no bytes of its own. */
export function descriptorEntry(number: number, group: MessageGroup): QueuedEntry {
  return { number, borrowed: undefined, offset: 0, size: 0, group };
}

/** A message and the descriptors that belong to it. */
export interface MessageGroup {
  /** How many of its entries are not written yet. */
  remaining: number;
  /** What the caller was given, unless the call is a blocking one. */
  readonly promise?: Promise<void>;
  /** Settles the call: its last entry was written, or one of them failed. Whatever comes later has no effect. */
  settle(error?: Error): void;
}

/** A send that waits. */
export class PendingSend extends PendingCall<void> implements MessageGroup {
  remaining = 1;

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

  settle(error?: Error): void {
    if (this.settled) return;
    this.settled = true;
    this.error = error;
  }
}
