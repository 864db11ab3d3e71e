// SPDX-License-Identifier: MIT
import { BaseQueue } from './base-queue.js';
import { checkQueueOptions, simpleQueueNames, type SimpleQueueOptions } from './options.js';
import { QueueResources } from './queue-resources.js';

/**
 * A queue without a maximum size, whose `put` ends when the item is in the pipe. CPython:
 * `multiprocessing.SimpleQueue`.
 */
export class SimpleQueue<T = unknown> extends BaseQueue<T> {
  /** @param options See SimpleQueueOptions. */
  constructor(options?: SimpleQueueOptions);
  /** @internal For an existing queue. */
  constructor(resources: QueueResources);
  constructor(source?: SimpleQueueOptions | QueueResources) {
    const made = !(source instanceof QueueResources);
    super('SimpleQueue', made ? makeResources(source) : source, made);
  }

  /** @internal */
  protected override show(): string {
    return 'open';
  }
}

function makeResources(options: SimpleQueueOptions | undefined): QueueResources {
  const { serialization, channel } = checkQueueOptions(options, simpleQueueNames);
  return QueueResources.make({ slots: undefined, joinable: false, serialization, highWaterMark: 0, channel });
}
