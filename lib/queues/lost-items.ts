// SPDX-License-Identifier: MIT
//
// Tells of items that were lost with a process. The count is in memory that all members share, which wakes no event loop, so
// it is looked at from time to time, while there is a listener.
import { channel } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';

import type { QueueTransport } from './transport.js';

/** How often the count is looked at, in milliseconds. */
const LOOK_MS = 250;

/** What `queue.on('lost')` and the channel `node-multiprocessing:queue.lost` tell. */
export interface LostItems {
  /** How many items were lost since the last event. */
  readonly count: number;
  /** How many items of the queue were lost since it was made. */
  readonly total: number;
}

const diagnostics = channel('node-multiprocessing:queue.lost');

export class LostItemsWatch {
  readonly #transport: QueueTransport;
  readonly #queue: WeakRef<object>;
  readonly #emitter = new EventEmitter();
  #known: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(transport: QueueTransport, queue: object) {
    this.#transport = transport;
    this.#queue = new WeakRef(queue);
    this.#known = transport.lost;
    if (diagnostics.hasSubscribers) this.#start();
  }

  add(listener: (lost: LostItems) => void): void {
    this.#emitter.on('lost', listener);
    this.#start();
  }

  remove(listener: (lost: LostItems) => void): void {
    this.#emitter.off('lost', listener);
    if (this.#emitter.listenerCount('lost') === 0 && !diagnostics.hasSubscribers) this.close();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #start(): void {
    this.#timer ??= setInterval(() => {
      this.#look();
    }, LOOK_MS).unref();
  }

  #look(): void {
    const queue = this.#queue.deref();
    if (queue === undefined) {
      this.close();
      return;
    }
    this.#transport.checkAccounts();
    const total = this.#transport.lost;
    const count = total - this.#known;
    if (count === 0) return;
    this.#known = total;
    if (diagnostics.hasSubscribers) diagnostics.publish({ queue, count, total });
    this.#emitter.emit('lost', { count, total } satisfies LostItems);
  }
}
