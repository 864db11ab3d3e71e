// SPDX-License-Identifier: MIT
import { BaseQueue } from './base-queue.js';
import { checkQueueOptions, type SimpleQueueOptions } from './options.js';
import { makeParts, type QueueParts } from './parts.js';
import { Existing } from '../synchronize/sem-lock.js';

/**
 * A queue without a size, whose `put` ends when the item is in the pipe. CPython: `multiprocessing.SimpleQueue`.
 */
export class SimpleQueue<T = unknown> extends BaseQueue<T> {
  constructor(options?: SimpleQueueOptions);
  /** @internal */

  constructor(existing: Existing<QueueParts>);
  constructor(source?: SimpleQueueOptions | Existing<QueueParts>) {
    const existing = source instanceof Existing ? source.address : undefined;
    const { serialization, channel } = checkQueueOptions(source instanceof Existing ? undefined : source);
    const parts =
      existing ?? makeParts({ places: undefined, joinable: false, serialization, highWaterMark: 0, channel });
    super('SimpleQueue', parts, existing === undefined);
  }

  /** @internal */
  protected override show(): string {
    return 'open';
  }
}
