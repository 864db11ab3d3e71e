// SPDX-License-Identifier: MIT
//
// The items that this member has got and not finished: their leases are renewed, and ended, many with one command.
import { TaskDoneError } from '../../core/errors.js';
import { notLeased } from '../../core/lease-errors.js';
import { RedisError } from '../../core/redis-errors.js';
import type { RedisEngine } from './engine.js';

/** An item as Redis hands it out. */
export interface Found {
  readonly id: string;
  readonly deliveries: number;
  readonly bytes: Buffer;
}

/** How a lease ends. */
export type Ending = 'done' | 'release';

interface Held extends Found {
  /** Whether a call is ending the lease. */
  ending?: boolean;
  /** Whether another member may have the item now. */
  lost?: boolean;
  /** Whether Redis may have finished the item without an answer. */
  uncertain?: boolean;
}

interface EndCall {
  readonly held: Held;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** How many items one command names. */
const MOST_ITEMS = 500;

/** The items as an operation names them. */
export function pairsOf(items: readonly Found[]): string[] {
  return items.flatMap(({ id, deliveries }) => [id, `${deliveries}`]);
}

export class RedisLeases {
  readonly #engine: RedisEngine;
  /** In the order in which they were got. */
  readonly #held = new Map<string, Held>();
  readonly #ends: Record<Ending, { calls: EndCall[]; sending: boolean }> = {
    done: { calls: [], sending: false },
    release: { calls: [], sending: false },
  };
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(engine: RedisEngine) {
    this.#engine = engine;
  }

  /** Renews the lease of an item from now on. */
  add(found: Found): void {
    this.#held.set(found.id, found);
    if (this.#timer === undefined && !this.#closed) void this.#renewLater();
  }

  /** No longer renews the lease of an item. */
  forget(found: Found): void {
    const held = this.#held.get(found.id);
    if (held?.deliveries === found.deliveries) this.#held.delete(found.id);
  }

  /** The item that this member has had for the longest time. */
  get oldest(): Found | undefined {
    return [...this.#held.values()].find(({ ending }) => ending !== true);
  }

  /** Ends a lease. Rejects with `TaskDoneError` if this member does not have the item any more. */
  async end(found: Found, ending: Ending): Promise<void> {
    const held = this.#held.get(found.id);
    if (held?.deliveries !== found.deliveries || held.ending === true) throw notLeased();
    held.ending = true;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#ends[ending].calls.push({ held, resolve, reject });
        void this.#sendEnds(ending);
      });
      this.forget(held);
    } catch (error) {
      if (error instanceof TaskDoneError) this.forget(held);
      held.ending = false;
      throw error;
    }
  }

  /** Nothing is renewed any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#held.clear();
  }

  /** While one command is on its way the next one gathers. */
  async #sendEnds(ending: Ending): Promise<void> {
    const ends = this.#ends[ending];
    if (ends.sending) return;
    ends.sending = true;
    await Promise.resolve();
    while (ends.calls.length > 0) {
      const calls = ends.calls.splice(0, MOST_ITEMS);
      try {
        const answer = await this.#engine.run(ending, pairsOf(calls.map(({ held }) => held)));
        const lost = new Set(answer.slice(1).map(String));
        for (const { held, resolve, reject } of calls) {
          if (lost.has(held.id) && !(held.uncertain === true && ending === 'done')) reject(notLeased());
          else resolve();
        }
      } catch (error) {
        for (const { held, reject } of calls) {
          if (error instanceof RedisError && error.uncertain) held.uncertain = true;
          reject(error);
        }
      }
    }
    ends.sending = false;
  }

  async #renewLater(): Promise<void> {
    const leaseTime = await this.#engine.open().then(
      (settings) => settings.leaseTime,
      () => 0,
    );
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        void this.#renew().finally(() => {
          this.#timer = undefined;
          if (this.#held.size > 0 && !this.#closed) void this.#renewLater();
        });
      },
      Math.ceil(leaseTime / 3),
    ).unref();
  }

  async #renew(): Promise<void> {
    const held = [...this.#held.values()].filter(({ lost }) => lost !== true);
    for (let i = 0; i < held.length; i += MOST_ITEMS) {
      const items = held.slice(i, i + MOST_ITEMS);
      try {
        const answer = await this.#engine.run('renew', pairsOf(items));
        const lost = new Set(answer.slice(1).map(String));
        for (const item of items) item.lost = lost.has(item.id);
      } catch {
        // The next attempt is soon, and a lease that has ended meanwhile is told by the call that ends it.
      }
    }
  }
}
