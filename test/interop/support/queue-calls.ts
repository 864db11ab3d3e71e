// SPDX-License-Identifier: MIT
//
// The calls of a queue by name: the same in this process, in Node peers and in queue_peer.py.
import type { JoinableQueue, QueueWaitOptions } from 'node-multiprocessing';

import type { Mode } from '../../helpers/channels.js';

export class QueueCalls {
  readonly #queue: JoinableQueue;
  readonly #sync: boolean;

  /** @param queue Any kind of queue. The test does not call methods that it does not have. */
  constructor(queue: JoinableQueue, mode: Mode) {
    this.#queue = queue;
    this.#sync = mode === 'sync';
  }

  async run(name: string, ...args: unknown[]): Promise<unknown> {
    const call = (this as unknown as Record<string, (...args: unknown[]) => unknown>)[name];
    if (call === undefined) throw new Error(`There is no call ${name}`);
    return await call.apply(this, args);
  }

  put(item: unknown, block?: boolean, timeout?: number): unknown {
    return this.#put(item, { block, timeout });
  }

  get(block?: boolean, timeout?: number): unknown {
    return this.#get({ block, timeout });
  }

  putNowait(item: unknown): void {
    this.#queue.putNowait(item);
  }

  getNowait(): unknown {
    return this.#queue.getNowait();
  }

  async putMany(count: number, size = 0): Promise<void> {
    for (let number = 0; number < count; number++) await this.#put([number, Buffer.alloc(size, 'x')]);
  }

  async getMany(count: number): Promise<unknown[]> {
    const items = [];
    for (let i = 0; i < count; i++) items.push(await this.#get());
    return items;
  }

  async sizes(count: number): Promise<unknown[]> {
    const items = (await this.getMany(count)) as [number, Uint8Array][];
    return items.map(([number, data]) => [number, data.length]);
  }

  async work(): Promise<number> {
    for (let count = 0; ; count++) {
      const item = await this.#get();
      await this.taskDone();
      if (item === null) return count;
    }
  }

  taskDone(): unknown {
    if (!this.#sync) return this.#queue.taskDone();
    this.#queue.taskDoneSync();
    return undefined;
  }

  join(): unknown {
    if (!this.#sync) return this.#queue.join();
    this.#queue.joinSync();
    return undefined;
  }

  qsize(): number {
    return this.#queue.qsize();
  }

  empty(): boolean {
    return this.#queue.empty();
  }

  full(): boolean {
    return this.#queue.full();
  }

  close(): void {
    this.#queue.close();
  }

  joinThread(): unknown {
    if (!this.#sync) return this.#queue.joinThread();
    this.#queue.joinThreadSync();
    return undefined;
  }

  cancelJoinThread(): void {
    this.#queue.cancelJoinThread();
  }

  #put(item: unknown, options: QueueWaitOptions = {}): unknown {
    if (!this.#sync) return this.#queue.put(item, options);
    this.#queue.putSync(item, options);
    return undefined;
  }

  #get(options: QueueWaitOptions = {}): unknown {
    return this.#sync ? this.#queue.getSync(options) : this.#queue.get(options);
  }
}
