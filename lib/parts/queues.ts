// SPDX-License-Identifier: MIT
import { BaseQueue } from '../base-queue.js';
import { provide } from '../parts.js';
import { attachQueue, describeQueue } from '../queue-sharing.js';

provide('queues', {
  describe: (object, giving) =>
    object instanceof BaseQueue ? describeQueue(object as BaseQueue<unknown>, giving) : undefined,
  attach: attachQueue,
});
