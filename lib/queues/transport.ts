// SPDX-License-Identifier: MIT
//
// What moves the items of a queue between its members. The reader and the writer know only this, so that another
// transport can take the place of CPython's pipe and locks.
import type { Frames } from '../connection/receiving/frames.js';
import type { LargeMessage } from '../connection/receiving/large-message.js';
import { native } from '../native/addon.js';
import type { BorrowedBytes } from '../serialization/borrowed-bytes.js';

/** An item as it is put: its bytes, or bytes of the caller's that are copied if they have to wait. */
export type Item = Uint8Array | BorrowedBytes;

/** How often a call polls for a change of state that it is not notified of, in milliseconds. */
export const POLL_MS = 500;

/** How often a call that waits for items looks for leases of consumers that have died, in milliseconds. */
export const LEASE_CHECK_MS = 200;

/** How often a member that has read a part of an item looks whether the rest can still come, in milliseconds. */
export const CHECK_MS = 100;

/** What the members of a queue have counted together, all of them, since it was made. */
export interface QueueStats {
  /** Items that were written to the pipe, wholly or in part. */
  readonly put: number;
  /** Items that a member has got. */
  readonly got: number;
  /**
   * Items that were put and that no member can get, since a process has died: those that it had accepted and not
   * wholly written, and the one that it was reading.
   */
  readonly lost: number;
  /** How often a member has set the queue right after the death of another one in the middle of an operation. */
  readonly recoveries: number;
  /** Items in the pipe now. */
  readonly depth: number;
}

const codes = native.status;

/** One queue, as this environment uses it. A status is >= 0, or one of `native.status`, or a negated errno. */
export interface QueueTransport {
  /** Whether a member has changed the state of the queue: it was shut down, or is broken. */
  readonly changed: boolean;
  /** Whether the queue is broken, so that no member can get from it any more. */
  readonly broken: boolean;
  /** Why nothing can be got any more, whatever is still on its way; undefined while something can. */
  readonly end: Error | undefined;
  /** Whether the members are notified of a change of state. Without that, calls that wait poll. */
  readonly notifies: boolean;
  /** Ends the queue for all members. With `drop`, what is still on its way is not got any more. */
  shutDown(drop: boolean): void;
  /**
   * Calls `callback` once when the state has changed. After a change of state it is called at once, each time: a caller that
   * has seen the change polls for further ones instead.
   */
  onceChanged(callback: () => void): () => void;

  /**
   * Gets one item: its length, now at the start of `slab`; `largeMessage`, now in `large`; `again` (nothing has arrived) or
   * `busy` (another member is getting), for which `onceGettable` waits; or a failure.
   *
   * @param expected Whether something should have arrived.
   * @param budget How many bytes of a large item may be read at once.
   */
  get(slab: Buffer, large: LargeMessage, expected: boolean, budget: number): number;
  /**
   * As `get`, for at most `most` small items, never more than are there: how many bytes they take in `frames`, where they
   * have at most `room` bytes (`frameBytes` or more). `largeMessage` if the next item is one for `get`. Transports without
   * it get one item at a time.
   */
  getMany?(frames: Frames, most: number, room: number, expected: boolean): number;
  /** Calls `callback` once when the thing may be there that `get` found missing. Returns what ends that. */
  onceGettable(missing: number, callback: (expected: boolean) => void): () => void;
  /** The blocking form of `onceGettable`. False when the time is up. */
  blockUntilGettable(missing: number, deadline: number, operation: string): boolean;
  /** Whether an item was read in part, so that this member must read its rest. */
  readonly inside: boolean;
  /** Recovers from the death of other members. */
  checkMembers(): void;
  /** Looks for slots and items that dead members have taken with them. */
  checkAccounts(): void;
  /** What all members have counted; undefined if one of them does not. */
  readonly stats: QueueStats | undefined;
  /** How many items were lost, as far as that was noticed. */
  readonly lost: number;
  /** Whether an item may have arrived. */
  readonly readable: boolean;
  /** The failure for a status of `get` that means that the bytes are no items, or `tooLong`: an item was skipped. */
  receiveFailure(status: number): Error;

  /**
   * Puts one item: how many bytes wait now, 0 if the item was written; `again` if no slot is free; or a failure.
   *
   * @param gather Whether the item may wait for `flush` if it is small. A millisecond later it is written without that.
   */
  put(item: Item, hasSlot: boolean, gather: boolean): number;
  /** Writes the items that were gathered. Transports without it gather none. */
  flush?(): void;
  /** Calls `callback` once when a slot was taken for this member (true), or may be free. Undefined without slots. */
  onceSlot(callback: (hasSlot: boolean) => void): (() => void) | undefined;
  /** The blocking form of `onceSlot`: true or false, as there; undefined when the time is up, or without slots. */
  blockUntilSlot(deadline: number, operation: string): boolean | undefined;
  /** Gives back a slot that was taken. */
  returnSlot(): void;
  /** The number of free slots, negative where the system cannot tell. */
  readonly freeSlots: number;
  /** Calls `settle` once when at most `most` bytes wait to be written, with 0, or with what made that impossible. */
  onceWritten(most: number, settle: (status: number) => void): () => void;
  /** The blocking form of `onceWritten`; `timedOut` when the time is up. */
  blockUntilWritten(most: number, deadline: number, operation: string): number;
  /** Lets the process end although items wait to be written. */
  cancelWriting(): void;

  /** Ends getting. What was put is still written. */
  close(): void;
}

/** Whether a status says that there is nothing to get now. */
export function isWait(status: number): boolean {
  return status === codes.again || status === codes.busy;
}

/** Whether a status says that the bytes in the pipe are no items. */
export function isOutOfStep(status: number): boolean {
  const { truncated, badLength, unreadable, unexpectedDescriptor } = codes;
  return [truncated, badLength, unreadable, unexpectedDescriptor].includes(status);
}
