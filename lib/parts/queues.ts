// SPDX-License-Identifier: MIT
import { BaseQueue } from '../queues/base-queue.js';
import { provide } from '../reduction/registry.js';
import { attachQueue, describeQueue } from '../queues/reduction.js';

provide('queues', {
  describe: (object, giving) =>
    object instanceof BaseQueue ? describeQueue(object as BaseQueue<unknown>, giving) : undefined,
  attach: attachQueue,
});
