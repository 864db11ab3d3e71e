// SPDX-License-Identifier: MIT
//
// The transport of queues with leases: the items lie in shared memory, and each is in one state whatever dies. The pipes
// carry no items. A byte in one of them only tells members to look again.
import { blockOn } from '../event-loop/sync-wait.js';
import type { Channel } from '../connection/channel.js';
import type { LargeMessage } from '../connection/receiving/large-message.js';
import { allocateCopied } from '../core/message-memory.js';
import { systemError } from '../core/errors.js';
import { queueError } from '../core/status-errors.js';
import type { LeaseHolder, Unfinished } from '../core/lease-errors.js';
import { native } from '../native/addon.js';
import { BorrowedBytes } from '../serialization/borrowed-bytes.js';
import { SEM_VALUE_MAX } from '../synchronize/sem-lock.js';
import type { LeaseResources, LetterBox } from './lease-resources.js';
import { LEASE_CHECK_MS, type Item, type QueueStats, type QueueTransport } from './transport.js';
import { queueMicrotask } from '../core/own-turns.js';

const { leases, queues, status: codes } = native;

/** The pause while another member is stopped inside the memory's lock, or has been woken and has not looked yet. */
const SHORTEST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 16;

/** What `get` tells of an item besides its bytes: receipt, length, deliveries, and whether it is for the dead letters. */
const found = new Float64Array(4);
const foundBytes = new Uint8Array(found.buffer);

/** What `counts` tells: items that wait, places taken, items unfinished, members woken that have not looked. */
const counts = new Int32Array(4);

const noPrefix = new Uint8Array(0);

/** Ends the membership of queues whose objects were collected. */
const collected = new FinalizationRegistry<number>((id) => {
  leases.release(id);
});

/** Which lease an item was handed out with. */
export interface LeaseTicket {
  readonly receipt: number;
  readonly deliveries: number;
}

export class LeaseTransport implements QueueTransport {
  readonly #id: number;
  readonly #ready: Channel;
  readonly #freed: Channel;
  readonly #places: number;
  #letters: LetterBox | undefined;
  #pauseMs = SHORTEST_PAUSE_MS;
  /** Whether the last attempt has found another member inside the lock. */
  #busy = false;
  /** The lease of the item that `get` has returned last. */
  ticket: LeaseTicket = { receipt: 0, deliveries: 0 };

  constructor(resources: LeaseResources) {
    this.#ready = resources.ready.reader;
    this.#freed = resources.freed.reader;
    this.#places = resources.slots?.count ?? SEM_VALUE_MAX;
    this.#letters = resources.deadLetters;
    this.#id = resources.join();
    collected.register(this, this.#id, this);
  }

  get changed(): boolean {
    return leases.flags(this.#id) !== 0;
  }

  get broken(): boolean {
    return (leases.flags(this.#id) & queues.broken) !== 0;
  }

  get end(): Error | undefined {
    if (this.broken) return queueError(codes.queueBroken, 'read');
    return (leases.flags(this.#id) & queues.dropped) !== 0 ? queueError(codes.shutDown, 'read') : undefined;
  }

  get notifies(): boolean {
    return true;
  }

  shutDown(drop: boolean): void {
    leases.addFlags(this.#id, queues.isShutDown | (drop ? queues.dropped : 0));
  }

  breakOff(): void {
    leases.addFlags(this.#id, queues.broken);
  }

  /** The waits for items, for room and for the end of all items are woken by a change themselves. */
  onceChanged(): () => void {
    return () => undefined;
  }

  get(slab: Buffer, large: LargeMessage): number {
    for (;;) {
      const status = this.#attempt(leases.get(this.#id, slab, this.#letters?.closed === false, foundBytes));
      if (status < 0 && status !== codes.largeMessage) return status;
      const [receipt, length, deliveries, dead] = found as unknown as [number, number, number, number];
      let bytes: Buffer | undefined;
      if (status === codes.largeMessage) {
        try {
          bytes = allocateCopied(length);
        } catch {
          // Another consumer may have memory for it.
          this.#end(receipt, false);
          return codes.noMemory;
        }
        leases.read(this.#id, receipt, bytes);
      }
      if (dead === 0) {
        if (bytes !== undefined) large.use(bytes);
        this.ticket = { receipt, deliveries };
        return status;
      }
      void this.#bury(receipt, bytes ?? Buffer.from(slab.subarray(0, length)));
    }
  }

  onceGettable(missing: number, callback: (expected: boolean) => void): () => void {
    if (missing === codes.busy) return this.#afterPause(() => callback(true));
    return this.#onceReadable(this.#ready, () => callback(true));
  }

  blockUntilGettable(missing: number, deadline: number, operation: string): boolean {
    return this.#block(missing === codes.busy ? undefined : this.#ready, deadline, operation);
  }

  /** No item is ever read in part. */
  readonly inside = false;

  checkMembers(): void {
    leases.check(this.#id);
  }

  /** The items of dead members come back when the members are looked after. */
  checkAccounts(): void {
    leases.check(this.#id);
  }

  /** An item that was handed out again counts as got each time. */
  get stats(): QueueStats {
    const numbers = leases.stats(this.#id);
    if (typeof numbers === 'number') throw systemError(numbers, 'stats');
    const [put, got, recoveries, depth] = numbers;
    return { put, got, lost: this.lost, recoveries, depth };
  }

  /** No item is ever lost with a member. */
  get lost(): number {
    return 0;
  }

  get readable(): boolean {
    return this.waiting > 0;
  }

  receiveFailure(status: number): Error {
    return systemError(status, 'read');
  }

  put(item: Item): number {
    const status = this.#attempt(
      item instanceof BorrowedBytes
        ? leases.put(this.#id, item.bytes, item.prefix)
        : leases.put(this.#id, item, noPrefix),
    );
    // The writer waits in the same way for both.
    return status === codes.busy ? codes.again : status;
  }

  onceSlot(callback: (hasSlot: boolean) => void): () => void {
    return this.#onceFreed(leases.room, () => callback(false));
  }

  blockUntilSlot(deadline: number, operation: string): boolean | undefined {
    if (this.#blockUntilFreed(deadline, operation)) return false;
    leases.forget(this.#id, leases.room);
    return undefined;
  }

  /** No slot is ever taken before an item. */
  returnSlot(): void {
    // There is nothing to return.
  }

  get freeSlots(): number {
    leases.counts(this.#id, counts);
    return Math.max(0, this.#places - (counts[1] as number));
  }

  /** The number of items that can be got, or wait for the dead letters. */
  get waiting(): number {
    leases.counts(this.#id, counts);
    return counts[0] as number;
  }

  /** What was put is in the shared memory. */
  onceWritten(_most: number, settle: (status: number) => void): () => void {
    queueMicrotask(() => settle(0));
    return () => undefined;
  }

  blockUntilWritten(): number {
    return 0;
  }

  cancelWriting(): void {
    // Nothing waits to be written.
  }

  close(): void {
    this.#letters = undefined;
    leases.close(this.#id);
  }

  /** 0 if no item is unfinished, `again` or `busy`, for which `onceIdle` waits, or a failure. */
  finished(): number {
    return this.#attempt(leases.finished(this.#id));
  }

  /** Calls `callback` once when no item may be unfinished. Returns what ends that. */
  onceIdle(callback: () => void): () => void {
    return this.#onceFreed(leases.idle, callback);
  }

  /** The blocking form of `onceIdle`. False when the time is up. */
  blockUntilIdle(deadline: number, operation: string): boolean {
    return this.#blockUntilFreed(deadline, operation);
  }

  forgetIdle(): void {
    leases.forget(this.#id, leases.idle);
  }

  /**
   * Ends a lease, the oldest one of this member for 0: 0; `busy`, after which the call is to be repeated; or a failure
   * if there is no such lease.
   */
  endLease(receipt: number, finished: boolean): number {
    return this.#attempt(leases.end(this.#id, receipt, finished));
  }

  /** Calls `callback` when a call that was `busy` is to be repeated. The process stays for that. */
  onceFree(callback: () => void): void {
    setTimeout(callback, this.#nextPause());
  }

  /** The blocking form of `onceFree`. */
  blockUntilFree(operation: string): void {
    this.#block(undefined, Infinity, operation);
  }

  /** Which members have items, and how many items wait; undefined while a member is stopped inside the lock. */
  report(): Unfinished | undefined {
    const numbers = leases.report(this.#id);
    if (typeof numbers === 'number') return undefined;
    const holders: LeaseHolder[] = [];
    for (let i = 1; i < numbers.length; i += 4) {
      const [pid, thread, count, ms] = numbers.slice(i, i + 4) as [number, number, number, number];
      holders.push({ pid, thread, count, ms });
    }
    return { waiting: numbers[0] as number, holders };
  }

  /**
   * Moves an item to the dead letters. It is finished here when it is safe there: if this process dies in between, the
   * item is moved again. If the dead letters take nothing any more, the item stays here, and counts as unfinished.
   */
  async #bury(receipt: number, bytes: Buffer): Promise<void> {
    let moved = true;
    try {
      await this.#letters?.putSerialized(bytes);
    } catch (error) {
      moved = false;
      this.#letters = undefined;
      process.emitWarning(`An item cannot be put on the queue for dead letters: ${(error as Error).message}`);
    }
    this.#end(receipt, moved);
  }

  /** Ends a lease as soon as no other member keeps the lock. */
  #end(receipt: number, finished: boolean): void {
    if (this.endLease(receipt, finished) === codes.busy) this.#afterPause(() => this.#end(receipt, finished));
  }

  #attempt(status: number): number {
    this.#busy = status === codes.busy;
    if (status >= 0) this.#pauseMs = SHORTEST_PAUSE_MS;
    return status;
  }

  /** Whether the pipe is readable for the sake of members that were woken and have not looked yet. */
  get #othersWoken(): boolean {
    leases.counts(this.#id, counts);
    return (counts[3] as number) > 0;
  }

  #nextPause(): number {
    const pause = this.#pauseMs;
    this.#pauseMs = Math.min(2 * pause, LONGEST_PAUSE_MS);
    return pause;
  }

  #afterPause(callback: () => void): () => void {
    const timer = setTimeout(callback, this.#nextPause()).unref();
    return () => {
      clearTimeout(timer);
    };
  }

  /** Meanwhile this member looks for dead ones, since no system tells of the end of another process. */
  #onceReadable(channel: Channel, callback: () => void): () => void {
    const timer = setInterval(() => {
      leases.check(this.#id);
    }, LEASE_CHECK_MS).unref();
    const stop = channel.onceReadable(() => {
      clearInterval(timer);
      callback();
    });
    return () => {
      clearInterval(timer);
      stop();
    };
  }

  #onceFreed(want: number, callback: () => void): () => void {
    const stop =
      this.#busy || this.#othersWoken ? this.#afterPause(callback) : this.#onceReadable(this.#freed, callback);
    return () => {
      stop();
      leases.forget(this.#id, want);
    };
  }

  #blockUntilFreed(deadline: number, operation: string): boolean {
    return this.#block(this.#busy || this.#othersWoken ? undefined : this.#freed, deadline, operation);
  }

  /** @param channel What to wait for; undefined for a pause. */
  #block(channel: Channel | undefined, deadline: number, operation: string): boolean {
    const longest = channel === undefined ? this.#nextPause() : LEASE_CHECK_MS;
    const until = Math.min(deadline, performance.now() + longest);
    const { expired } = blockOn(channel === undefined ? [] : [channel.fd], until, operation);
    if (expired && channel !== undefined) leases.check(this.#id);
    return !expired || until < deadline;
  }
}
