// SPDX-License-Identifier: MIT
//
// The getting half of a queue: the calls that wait, in the order in which they are served.
import { isLimited, type Limits } from '../../core/deadline.js';
import { ClosedError, Empty, ShutDown } from '../../core/errors.js';
import { Fifo } from '../../core/fifo.js';
import { PendingCall } from '../../event-loop/pending-call.js';
import type { RedisConnection } from './client.js';
import { NONE, type RedisEngine } from './engine.js';
import { pairsOf, type Found, type RedisLeases } from './leases.js';
import { RedisWaker } from './waker.js';

/** The sockets of the client keep the event loop alive. */
export const noKeeper = { on: true, begin: (): void => undefined, end: (): void => undefined };

/** How many items one command asks for. */
const MOST_ITEMS = 500;

/** When an item is finished: when its lease is ended, when it is got but for the count of join, or when it is got. */
export type Finished = '' | 'got' | 'done';

interface GetCall {
  readonly call: PendingCall<Found[]>;
  readonly most: number;
  /** Whether it fails when a look has found nothing. */
  readonly once: boolean;
  /** Whether it waits for as long as it takes. */
  readonly lasting: boolean;
}

export class RedisReader {
  readonly #engine: RedisEngine;
  readonly #leases: RedisLeases;
  readonly #finished: Finished;
  /** Takes an item that was handed out too often, and returns true. */
  readonly #bury: (found: Found) => boolean;
  readonly #waiting = new Fifo<GetCall>();
  readonly #waker: RedisWaker;
  /** What callers have received, which the next command finishes. */
  readonly #received: Found[] = [];
  /** Finished items that have come for a call that had given up. */
  readonly #kept: Found[] = [];
  /** Whether a look is behind a wait. */
  #behind = false;
  /** Whether a look was asked for after the last one began. */
  #unseen = false;
  #looking: Promise<void> | undefined;
  #closed = false;

  constructor(engine: RedisEngine, leases: RedisLeases, finished: Finished, bury: (found: Found) => boolean) {
    this.#engine = engine;
    this.#leases = leases;
    this.#finished = finished;
    this.#bury = bury;
    // What is finished when it is handed out would be lost with the connection.
    const behind = finished === '' ? (wait: RedisConnection) => this.#lookBehind(wait) : undefined;
    this.#waker = new RedisWaker(engine, 'ready', () => this.#lookSoon(), behind);
  }

  /** Gets up to `most` items, at least one, after the calls that were made earlier. */
  get(most: number, limits: Limits): Promise<Found[]> {
    const call = new PendingCall<Found[]>(noKeeper);
    const once = limits.timeout <= 0;
    const entry = { call, most, once, lasting: limits.timeout === Infinity };
    // A call that does not wait still takes the time of one look.
    const { timeout, signal } = once ? { timeout: Infinity, signal: limits.signal } : limits;
    if (isLimited({ timeout, signal })) {
      call.limit(
        { timeout, signal },
        () => new Empty(),
        () => {
          this.#waiting.remove(entry);
          this.#rest();
        },
      );
    }
    this.#waiting.push(entry);
    this.#serveKept();
    // A look that is behind a wait already serves this call, too. Another one could overtake it.
    if (this.#waiting.length > 0 && !(this.#behind && entry.lasting)) this.#lookSoon();
    return call.promise;
  }

  /** Finishes this item with the next command of the reader. */
  receive(found: Found): void {
    this.#received.push(found);
  }

  /** Gives back items that no call takes. What is finished already is kept for the next call. */
  refuse(items: readonly Found[]): void {
    if (items.length === 0) return;
    if (this.#finished !== '') {
      this.#kept.unshift(...items);
      return;
    }
    this.#forget(items);
    // In the order of the stream again, since each goes before all others.
    this.#engine.run('refuse', pairsOf([...items].reverse())).catch(() => undefined);
  }

  /** Ends all gets. Resolves when no command is on its way, with what was received and is not finished. */
  async close(): Promise<readonly Found[]> {
    this.#closed = true;
    this.#waker.close();
    for (const { call } of this.#waiting.removeAll()) call.reject(new ClosedError('Queue'));
    await this.#looking;
    return this.#received;
  }

  #lookSoon(): void {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
      this.#rest();
      // A call that was made at the end of the last look.
      if (this.#unseen) this.#lookSoon();
    });
    this.#unseen = true;
  }

  async #look(): Promise<void> {
    // Calls of the same tick are served together.
    await Promise.resolve();
    while (this.#waiting.length > 0 && !this.#closed) {
      this.#unseen = false;
      const calls = this.#calls();
      const received = this.#received.splice(0);
      try {
        const answer = await this.#engine.run('get', [mostOf(calls), this.#finished, ...pairsOf(received)]);
        this.#forget(received);
        if (answer[0] !== NONE) this.#serve(answer);
        else
          this.#endOf(
            calls.filter(({ once }) => once),
            () => new Empty(),
          );
        if (answer[0] === NONE && !this.#unseen) return;
      } catch (error) {
        if (error instanceof ShutDown) this.#forget(received);
        else this.#received.unshift(...received);
        this.#endOf(calls, () => error);
      }
    }
    this.#unseen = false;
  }

  /**
   * Looks for the calls that wait without a time limit. A call that gives up would leave its look behind: the item that comes then
   * is given back, and until that no other member has it.
   */
  #lookBehind(wait: RedisConnection): Promise<boolean | undefined> | undefined {
    const calls = this.#calls().filter(({ lasting }) => lasting);
    if (calls.length === 0) return undefined;
    this.#behind = true;
    const serve = (answer: readonly unknown[]): boolean => {
      const found = answer[0] !== NONE;
      if (found) this.#serve(answer);
      return found;
    };
    // The next look tells the calls of an error.
    const looked = this.#engine.run('await', [mostOf(calls), ''], wait).then(serve, () => undefined);
    return looked.finally(() => {
      this.#behind = false;
      this.#rest();
    });
  }

  #calls(): GetCall[] {
    const calls = this.#waiting.removeAll();
    for (const entry of calls) this.#waiting.push(entry);
    return calls;
  }

  #serve(answer: readonly unknown[]): void {
    const items: Found[] = [];
    for (let i = 1; i < answer.length; i += 3) {
      const [id, deliveries, bytes] = answer.slice(i, i + 3) as [Buffer, number | bigint, Buffer];
      const found = { id: id.toString(), deliveries: Number(deliveries), bytes };
      if (this.#finished === '') this.#leases.add(found);
      if (!this.#bury(found)) items.push(found);
    }
    this.#kept.push(...items);
    this.#serveKept();
    // Another consumer can have what no call waits for any more, unless it is finished already.
    if (this.#finished === '') this.refuse(this.#kept.splice(0));
  }

  #serveKept(): void {
    while (this.#kept.length > 0) {
      const first = this.#waiting.shift();
      if (first === undefined) return;
      first.call.resolve(this.#kept.splice(0, first.most));
    }
  }

  #forget(received: readonly Found[]): void {
    for (const item of received) this.#leases.forget(item);
  }

  #endOf(calls: readonly GetCall[], makeError: () => unknown): void {
    for (const entry of calls) {
      this.#waiting.remove(entry);
      entry.call.reject(makeError());
    }
  }

  #rest(): void {
    this.#waker.needed = this.#waiting.length > 0;
  }
}

function mostOf(calls: readonly GetCall[]): string {
  return `${Math.min(
    MOST_ITEMS,
    calls.reduce((sum, call) => sum + call.most, 0),
  )}`;
}
