// SPDX-License-Identifier: MIT
//
// CPython's transport: one pipe, a lock for each of its ends, and a semaphore for the slots. This file alone calls the native
// functions of queues.
import { request, requestSync, type Background } from '../event-loop/completions.js';
import type { Channel } from '../connection/channel.js';
import type { Frames } from '../connection/receiving/frames.js';
import type { LargeMessage } from '../connection/receiving/large-message.js';
import { SendBuffer } from '../connection/sending/send-buffer.js';
import { BadMessageLength, systemError } from '../core/errors.js';
import { prepareCopy } from '../core/message-memory.js';
import { queueError, receiveError } from '../core/status-errors.js';
import { native } from '../native/addon.js';
import { blockOn } from '../event-loop/sync-wait.js';
import { BorrowedBytes } from '../serialization/borrowed-bytes.js';
import type { SemaphoreHandle } from '../synchronize/semaphore-handle.js';
import type { QueueResources } from './queue-resources.js';
import { POLL_MS, type Item, type QueueStats, type QueueTransport } from './transport.js';

const { queues, status: codes } = native;

/** Releases queues whose objects were collected. What was put is still written. */
const collected = new FinalizationRegistry<number>((id) => {
  queues.release(id);
});

export class PipeTransport implements QueueTransport {
  readonly #id: number;
  /** The reading end of the queue's pipe. */
  readonly #reader: Channel;
  /** That of its writing end. */
  readonly #buffer: SendBuffer;
  readonly #rlock: SemaphoreHandle;
  readonly #slots: SemaphoreHandle | undefined;
  /** The reading end of the pipe that has bytes once the state has changed. */
  readonly #state: Channel | undefined;

  /** @param make Whether the queue is new, so that it has no other member yet. */
  constructor({ pipe, rlock, wlock, slots, joinable, statePipe }: QueueResources, make: boolean) {
    this.#reader = pipe.reader;
    this.#buffer = new SendBuffer(pipe.writer.id, true);
    this.#state = statePipe?.reader;
    this.#rlock = rlock;
    this.#slots = slots?.semaphore;
    this.#id = queues.open(
      pipe.reader.id,
      pipe.writer.id,
      rlock.id,
      wlock.id,
      slots?.semaphore.id ?? -1,
      joinable?.unfinished.id ?? -1,
      statePipe?.reader.id ?? -1,
      statePipe?.writer.id ?? -1,
      slots?.count ?? 0,
      make,
    );
    if (this.#id < 0) throw systemError(this.#id, 'open');
    collected.register(this, this.#id, this);
  }

  get changed(): boolean {
    return queues.flags(this.#id) !== 0;
  }

  get broken(): boolean {
    return (queues.flags(this.#id) & queues.broken) !== 0;
  }

  get end(): Error | undefined {
    if (this.broken) return queueError(codes.queueBroken, 'read');
    return (queues.flags(this.#id) & queues.dropped) !== 0 ? queueError(codes.shutDown, 'read') : undefined;
  }

  get notifies(): boolean {
    return this.#state !== undefined;
  }

  shutDown(drop: boolean): void {
    queues.addFlags(this.#id, queues.isShutDown | (drop ? queues.dropped : 0));
  }

  onceChanged(callback: () => void): () => void {
    return this.#state?.onceReadable(callback) ?? (() => undefined);
  }

  get(slab: Buffer, large: LargeMessage, expected: boolean, budget: number): number {
    for (;;) {
      const status = queues.get(this.#id, slab, expected);
      if (status !== codes.largeMessage) return status;
      try {
        const filled = large.fill(queues.messageLength(this.#id), (bytes) => queues.getLarge(this.#id, bytes, budget));
        if (filled !== codes.itemLost) return filled;
        large.drop();
      } catch {
        // The item stays where it is until there is memory for it.
        return codes.noMemory;
      }
    }
  }

  getMany(frames: Frames, most: number, room: number, expected: boolean): number {
    return frames.fill((memory, at) => queues.getMany(this.#id, memory, at, room, most, expected));
  }

  onceGettable(missing: number, callback: (expected: boolean) => void): () => void {
    if (missing === codes.again) return this.#reader.onceReadable(() => callback(true));
    return this.#rlock.request((outcome) => {
      this.#useLock(outcome);
      callback(false);
    });
  }

  blockUntilGettable(missing: number, deadline: number, operation: string): boolean {
    const { fds, until } = this.#attention(deadline);
    if (missing === codes.again) {
      const { expired } = blockOn([this.#reader.fd, ...fds], until, operation);
      return !expired || until < deadline;
    }
    const outcome = requestSync(this.#rlock.background, until, operation, fds);
    if (outcome === codes.timedOut) return until < deadline;
    this.#useLock(outcome);
    return true;
  }

  get inside(): boolean {
    return queues.inside(this.#id) === 1;
  }

  checkMembers(): void {
    queues.check(this.#id);
  }

  checkAccounts(): void {
    queues.checkAccounts(this.#id);
  }

  get stats(): QueueStats | undefined {
    const numbers = queues.stats(this.#id);
    if (typeof numbers === 'number') return undefined;
    const [put, got, lost, recoveries, depth] = numbers;
    return { put, got, lost, recoveries, depth };
  }

  /** Finishes one item. False if none is unfinished. */
  taskDone(): boolean {
    const status = queues.taskDone(this.#id);
    if (status < 0 && status !== codes.again) throw systemError(status, 'sem_trywait');
    return status === 0;
  }

  get lost(): number {
    return queues.lost(this.#id);
  }

  get readable(): boolean {
    return this.#reader.readyToRead();
  }

  receiveFailure(status: number): Error {
    const { id, options } = this.#reader;
    if (status !== codes.tooLong) return receiveError(status, id, 'get', Infinity);
    return new BadMessageLength(native.inspect(id).length, options.maxMessageBytes, 'the item was skipped');
  }

  put(item: Item, hasSlot: boolean, gather: boolean): number {
    const bytes = item instanceof BorrowedBytes ? item.bytes : item;
    this.#buffer.enlarge(bytes.length);
    prepareCopy(bytes.length);
    return item instanceof BorrowedBytes
      ? queues.putWithPrefix(this.#id, bytes, hasSlot, item.prefix)
      : queues.put(this.#id, bytes, hasSlot, gather);
  }

  flush(): void {
    queues.flush(this.#id);
  }

  onceSlot(callback: (hasSlot: boolean) => void): (() => void) | undefined {
    return this.#slots?.request((outcome) => callback(outcome === 0));
  }

  blockUntilSlot(deadline: number, operation: string): boolean | undefined {
    if (this.#slots === undefined) return undefined;
    const { fds, until } = this.#attention(deadline);
    const outcome = requestSync(this.#slots.background, until, operation, fds);
    return outcome === codes.timedOut && until === deadline ? undefined : outcome === 0;
  }

  returnSlot(): void {
    this.#slots?.post();
  }

  get freeSlots(): number {
    return queues.freeSlots(this.#id);
  }

  onceWritten(most: number, settle: (status: number) => void): () => void {
    return request(this.#whenWritten(most), settle);
  }

  blockUntilWritten(most: number, deadline: number, operation: string): number {
    return requestSync(this.#whenWritten(most), deadline, operation);
  }

  cancelWriting(): void {
    queues.cancel(this.#id);
  }

  close(): void {
    queues.close(this.#id);
  }

  #useLock(outcome: number): void {
    if (outcome === 0) queues.adoptLock(this.#id);
    else if (outcome === codes.ownerDied) queues.check(this.#id);
  }

  /**
   * What a blocking call watches besides what it waits for, and until when: the state pipe. Once there was a change the pipe
   * tells nothing new, so the call polls.
   */
  #attention(deadline: number): { fds: number[]; until: number } {
    if (this.changed) return { fds: [], until: Math.min(deadline, performance.now() + POLL_MS) };
    return { fds: this.#state === undefined ? [] : [this.#state.fd], until: deadline };
  }

  #whenWritten(most: number): Background {
    return {
      start: (number) => queues.notifyWhen(this.#id, most, number),
      cancel: (number) => {
        queues.forget(this.#id, number);
      },
      error: (status) => systemError(status, 'write'),
    };
  }
}

/** The feeder threads of this process, which write what was put on any of its queues. */
export const feeders = {
  /** How many queues, items and bytes wait to be written, and the name of a lock of one of the queues. */
  waiting: (): [queues: number, items: number, bytes: number, name: string] => queues.processWaiting(),
  /** Nothing waits any more. */
  whenIdle: {
    start: (number: number) => queues.notifyWhenIdle(number),
    cancel: () => undefined,
    error: (status: number) => systemError(status, 'write'),
  } satisfies Background,
  /** This process stops counting as a reader of the queues to which it still has to write. */
  cutReaders: (): void => queues.cutReaders(),
  /** Reads the rest of the items that this environment has read in part. */
  finishReading: (timeoutMs: number): void => queues.finish(timeoutMs),
  /** No further item is begun. True if no item is half written. */
  stop: (): boolean => queues.stopFeeders() !== 0,
};
