// SPDX-License-Identifier: MIT
//
// The events of a pool for tools that watch all pools of a process. A message is made only for a channel with a subscriber.
import { channel, type Channel } from 'node:diagnostics_channel';

import type { WorkerEvent } from './events.js';
import type { Task } from './task.js';

const channels = {
  submit: channel('node-multiprocessing:task:submit'),
  done: channel('node-multiprocessing:task:done'),
  newWorker: channel('node-multiprocessing:pool:new_worker'),
  evictWorker: channel('node-multiprocessing:pool:evict_worker'),
  drain: channel('node-multiprocessing:pool:drain'),
};

/** What every message on the channels of pools has. */
export interface PoolMessage {
  /** The option `name` of the pool. */
  readonly poolName: string;
  /** How many tasks wait for a worker. */
  readonly queueSize: number;
  /** How many workers wait for a task. */
  readonly idleWorkers: number;
}

/** The messages on `node-multiprocessing:task:submit`. */
export interface TaskSubmitMessage extends PoolMessage {
  /** The number of the task in its pool. */
  readonly taskId: number;
}

/** The messages on `node-multiprocessing:task:done`. */
export interface TaskDoneMessage extends TaskSubmitMessage {
  /** How long the last attempt has run in a worker, in milliseconds; 0 if none has. */
  readonly duration: number;
  /** How long the last attempt has waited for a worker, in milliseconds. */
  readonly wait: number;
  /** The number of the last attempt, from 1 on. */
  readonly attempt: number;
  /** The error of a task that has failed. */
  readonly error?: unknown;
}

/** The messages on `node-multiprocessing:pool:new_worker` and `node-multiprocessing:pool:evict_worker`. */
export interface PoolWorkerMessage extends PoolMessage {
  /** As in the event `worker`. */
  readonly pid: number;
  /** As in the event `worker`. */
  readonly index: number;
  /** Of a worker that has ended: as `exitcode` of a Process. */
  readonly exitcode?: number;
}

/** Tells the channels of one pool. */
export class Diagnostics {
  readonly #common: () => PoolMessage;

  constructor(common: () => PoolMessage) {
    this.#common = common;
  }

  submitted({ id }: Task): void {
    this.#publish(channels.submit, () => ({ taskId: id }));
  }

  /** @param failure Has the error of a task that has failed. */
  done({ id, attempt, queuedAt, sentAt }: Task, failure?: { readonly error: unknown }): void {
    this.#publish(channels.done, () => {
      const now = performance.now();
      const ran = sentAt >= queuedAt;
      const times = { duration: ran ? now - sentAt : 0, wait: (ran ? sentAt : now) - queuedAt };
      return { taskId: id, attempt, ...times, ...failure };
    });
  }

  worker({ type, ...worker }: WorkerEvent): void {
    if (type === 'started') this.#publish(channels.newWorker, () => worker);
    else if (type === 'ended') this.#publish(channels.evictWorker, () => worker);
  }

  drained(): void {
    this.#publish(channels.drain, () => ({}));
  }

  #publish(to: Channel, message: () => object): void {
    if (to.hasSubscribers) to.publish({ ...this.#common(), ...message() });
  }
}
