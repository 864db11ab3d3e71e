// SPDX-License-Identifier: MIT
//
// One queue as this environment uses it: its number in the native layer, and the changes of state that Node members see.
import type { Channel } from '../connection/channel.js';
import { request, requestSync, type Background } from '../event-loop/completions.js';
import { queueError, systemError } from '../core/errors.js';
import { native } from '../native/addon.js';
import type { QueueResources } from './queue-resources.js';
import { blockOn } from '../event-loop/sync-wait.js';
import type { SemaphoreHandle } from '../synchronize/semaphore-handle.js';

const queues = native.queues;

/** Releases queues whose objects were collected. What was put is still written. */
const collected = new FinalizationRegistry<number>((id) => {
  queues.release(id);
});

/** How often a call polls for a change of state that it is not notified of, in milliseconds. */
export const LOOK_MS = 500;

export class QueueHandle {
  readonly id: number;
  /** The reading end of the queue's pipe. */
  readonly channel: Channel;
  readonly rlock: SemaphoreHandle;
  readonly places: SemaphoreHandle | undefined;
  readonly #level: Channel | undefined;

  /** @param make Whether the queue is new, so that it has no other member yet. */
  constructor({ pipe, rlock, wlock, slots, joinable, statePipe }: QueueResources, make: boolean) {
    this.channel = pipe.reader;
    this.#level = statePipe?.reader;
    this.rlock = rlock;
    this.places = slots?.semaphore;
    this.id = queues.open(
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
    if (this.id < 0) throw systemError(this.id, 'open');
    collected.register(this, this.id, this);
  }

  /** Whether the Node members are notified when the queue is shut down. */
  get hasLevel(): boolean {
    return this.#level !== undefined;
  }

  get flags(): number {
    return queues.flags(this.id);
  }

  /** Why nothing can be got any more, whatever is still in the pipe; undefined while something can. */
  get end(): Error | undefined {
    const { flags } = this;
    if ((flags & queues.broken) !== 0) return queueError(native.status.queueBroken, 'read');
    return (flags & queues.dropped) !== 0 ? queueError(native.status.shutDown, 'read') : undefined;
  }

  /**
   * Calls `callback` once when the queue has been shut down or is broken. After such a change of state it is called at once,
   * each time; so a caller that has seen the change polls every `LOOK_MS` for further ones instead.
   */
  onceTold(callback: () => void): () => void {
    return this.#level?.onceReadable(callback) ?? (() => undefined);
  }

  /** Nothing is got any more; what was put is still written. */
  close(): void {
    queues.close(this.id);
  }

  /** Blocks until one of these descriptors is readable or the queue's state changes. False when the time is up. */
  block(fds: readonly number[], deadline: number, operation: string): boolean {
    const { level, until } = this.#attention(deadline);
    const { expired } = blockOn([...fds, ...level], until, operation);
    return !expired || until < deadline;
  }

  /**
   * Blocks until a value of a semaphore was taken (0), its holder was found dead, the time is up (`timedOut`), or the caller
   * should look at the queue again (`again`).
   */
  take(semaphore: SemaphoreHandle, deadline: number, operation: string): number {
    const { level, until } = this.#attention(deadline);
    const outcome = requestSync(semaphore.background, until, operation, level);
    return outcome === native.status.timedOut && until < deadline ? native.status.again : outcome;
  }

  /**
   * What a blocking call watches besides what it waits for, and until when: the pipe that tells of a change of state. Once
   * there was a change the pipe tells nothing new, so the call looks every `LOOK_MS`.
   */
  #attention(deadline: number): { level: number[]; until: number } {
    if (this.flags !== 0) return { level: [], until: Math.min(deadline, performance.now() + LOOK_MS) };
    return { level: this.#level === undefined ? [] : [this.#level.fd], until: deadline };
  }

  /** Calls `settle` once when at most `most` bytes wait to be written, with 0, or with what made that impossible. */
  onceWritten(most: number, settle: (status: number) => void): () => void {
    return request(this.#whenWritten(most), settle);
  }

  /** The blocking form of that; `timedOut` when the time is up. */
  written(most: number, deadline: number, operation: string): number {
    return requestSync(this.#whenWritten(most), deadline, operation);
  }

  #whenWritten(most: number): Background {
    return {
      start: (number) => queues.notifyWhen(this.id, most, number),
      cancel: (number) => {
        queues.forget(this.id, number);
      },
      error: (status) => systemError(status, 'write'),
    };
  }
}
