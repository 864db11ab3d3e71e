// SPDX-License-Identifier: MIT
//
// What the addon exports for queues. The rules are those of addon.ts.

/** Queues, by ids of their own. */
export interface NativeQueues {
  /** The flags of a queue, which all Node members share. See QueueState. */
  readonly isShutDown: number;
  readonly dropped: number;
  readonly broken: number;

  /**
   * The ids are of endpoints and semaphores, -1 for what the queue does not have. `make` for a queue that has just been
   * created, which no other process knows.
   */
  open(
    reader: number,
    writer: number,
    rlock: number,
    wlock: number,
    slots: number,
    unfinished: number,
    stateReader: number,
    stateWriter: number,
    maxsize: number,
    make: boolean,
  ): number;

  /**
   * The length of one item, now at the start of `slab`; `largeMessage`; `again`: there is none; `busy`: there is one,
   * but another member has the lock; `shutDown`, `queueBroken`, or a failure. `expected` says that there should be one.
   */
  get(id: number, slab: Uint8Array, expected: boolean): number;
  /**
   * As `get`, for at most `most` small items, never more than are there: how many bytes they take together in `into` from
   * `offset` on, where they have room for `size` bytes (`frameBytes` or more), each behind a header of four bytes.
   */
  getMany(id: number, into: Uint8Array, offset: number, size: number, most: number, expected: boolean): number;
  /** As `receiveLarge`; `itemLost` when the rest of the item will not come, so that the next item is to be got. */
  getLarge(id: number, into: Uint8Array, budget: number): number;
  messageLength(id: number): number;
  /** The caller has acquired the lock for getting on behalf of this queue, which releases it. */
  adoptLock(id: number): void;
  /** 1 if a part of an item was read. */
  inside(id: number): number;
  /** Recovers from the death of other members: 0 or `queueBroken`. */
  check(id: number): number;
  /** Items put, got, lost, how often the queue was set right, and items in the pipe; a number if a member does not count. */
  stats(id: number): [put: number, got: number, lost: number, recoveries: number, depth: number] | number;
  /** Finishes one item: 0, or `again` if none is unfinished. */
  taskDone(id: number): number;
  /** How many items were lost, as far as that was noticed. */
  lost(id: number): number;
  /** Looks for slots and items that dead members have taken with them. */
  checkAccounts(id: number): void;

  /**
   * How many bytes wait to be written, 0 if the item was written. `again` if there is no slot, unless `hasSlot`. With `gather`
   * a small item waits for others, until `flush`, for a millisecond, or until there are many.
   */
  put(id: number, data: Uint8Array, hasSlot: boolean, gather: boolean): number;
  /** The same for an item in two pieces: a `prefix` of at most 16 bytes, and `data`. */
  putWithPrefix(id: number, data: Uint8Array, hasSlot: boolean, prefix: Uint8Array): number;
  /** Writes what was gathered. */
  flush(id: number): void;
  /** A completion comes once at most `maxBytes` wait: 0, or what made that impossible. */
  notifyWhen(id: number, maxBytes: number, request: number): number;
  forget(id: number, request: number): void;
  /** Items that wait need not be written before the process ends. */
  cancel(id: number): void;
  /** How many more items may be put. Also for a closed queue. */
  freeSlots(id: number): number;

  flags(id: number): number;
  addFlags(id: number, flags: number): void;
  /** Ends getting. Items that were put are still written. */
  close(id: number): void;
  release(id: number): void;

  /** For the end of the environment: finishes items of which a part was read. */
  finish(timeoutMs: number): void;
  /** How many queues, items and bytes of this process wait to be written, and the name of a lock of one queue. */
  processWaiting(): [queues: number, items: number, bytes: number, name: string];
  /** A completion comes once nothing waits in this process. */
  notifyWhenIdle(request: number): number;
  /** For the end of the process: it no longer counts as a reader of queues to which it has yet to write. */
  cutReaders(): void;
  /** For the end of the process: no further item is begun. 1 if none is half written. */
  stopFeeders(): number;
}

/** Queues with leases, by ids of their own: one for each member, that is, each queue object of an environment. */
export interface NativeLeases {
  /** What a member waits for: room for an item, or that no item is unfinished. */
  readonly room: number;
  readonly idle: number;

  /** Makes the memory of a queue. Returns its descriptor. `places` and `maxDeliveries`: 0 for no limit. */
  create(bytes: number, places: number, maxDeliveries: number): number;
  /**
   * The descriptor belongs to the queue from now on, unless this fails. The ids are of endpoints. `thread` is for
   * reports.
   */
  open(
    fd: number,
    readyReader: number,
    readyWriter: number,
    freedReader: number,
    freedWriter: number,
    thread: number,
  ): number;
  /** 0; `again` if there is no room; `busy` while another member is stopped inside the lock; `shutDown`, `queueBroken`. */
  put(id: number, data: Uint8Array, prefix: Uint8Array): number;
  /**
   * The length of one item, now at the start of `slab`; `largeMessage` if it does not fit, for `read`; `again`, `busy`,
   * `shutDown`, `queueBroken`. `found` gets four doubles: receipt, length, deliveries, and 1 if the item is for the dead
   * letters, which only happens with `letters`.
   */
  get(id: number, slab: Uint8Array, letters: boolean, found: Uint8Array): number;
  /** Copies a leased item. Returns how many bytes. */
  read(id: number, receipt: number, into: Uint8Array): number;
  /** Ends a lease, the oldest one for 0: the item is finished, or is handed out again. -ESRCH if there is none. */
  end(id: number, receipt: number, finished: boolean): number;
  /** 0 if no item is unfinished, else `again`; or `busy`. */
  finished(id: number): number;
  /** The member does not wait for `room` or `idle` any more. */
  forget(id: number, want: number): void;
  /** Hands out again what dead members have leased: 0 or `busy`. */
  check(id: number): number;
  /** How many items wait, then pid, thread, items and milliseconds of each holder; or `busy`. */
  report(id: number): number[] | number;
  /** Four numbers: items that wait, places taken, items unfinished, members woken that have not looked. */
  counts(id: number, out: Int32Array): number;
  /** Since the queue was made: items put, how often one was handed out, takeovers of the lock. And items that wait. */
  stats(id: number): [put: number, got: number, recoveries: number, depth: number] | number;
  /** The flags of a queue, as in NativeQueues. */
  flags(id: number): number;
  addFlags(id: number, flags: number): void;
  /** Ends the membership: what was leased is handed out again. */
  close(id: number): void;
  release(id: number): void;
}
