// SPDX-License-Identifier: MIT
//
// Waiting in Redis: a list has an element while a member should look again, and one of those that wait takes it.
import type { RedisConnection } from './client.js';
import type { RedisEngine } from './engine.js';

/**
 * After this time a member that waits looks again without having been woken, in milliseconds: the member that has taken the
 * element may have died, and nothing tells of the end of a lease.
 */
const LONGEST_WAIT_MS = 1000;

/** The pause after a wait that Redis or the connection has ended. */
const PAUSE_MS = 100;

export class RedisWaker {
  readonly #engine: RedisEngine;
  readonly #key: 'ready' | 'room' | 'idle';
  readonly #onWake: () => void;
  readonly #behind: ((connection: RedisConnection) => Promise<boolean | undefined> | undefined) | undefined;
  #connection: Promise<RedisConnection> | undefined;
  #needed = false;
  #running = false;
  #closed = false;

  /**
   * @param onWake Called when this member should look, as long as it is needed.
   * @param behind Sends the look behind the wait, on the same connection: Redis runs it when the wait ends, and the answers come
   *   together. Resolves with whether the look has found something, and with undefined if it has failed.
   */
  constructor(
    engine: RedisEngine,
    key: 'ready' | 'room' | 'idle',
    onWake: () => void,
    behind?: (connection: RedisConnection) => Promise<boolean | undefined> | undefined,
  ) {
    this.#engine = engine;
    this.#key = key;
    this.#onWake = onWake;
    this.#behind = behind;
  }

  /** Whether a call waits. */
  set needed(needed: boolean) {
    this.#needed = needed;
    if (needed && !this.#running && !this.#closed) void this.#run();
  }

  /** Ends the wait, and the connection. */
  close(): void {
    this.#closed = true;
    this.#needed = false;
    this.#connection?.then(
      (connection) => connection.end(),
      () => undefined,
    );
  }

  async #run(): Promise<void> {
    this.#running = true;
    const key = this.#engine.key(this.#key);
    while (this.#needed) {
      let taken = false;
      let looked = false;
      try {
        const { leaseTime } = await this.#engine.open();
        const seconds = Math.min(LONGEST_WAIT_MS, leaseTime / 2) / 1000;
        this.#connection ??= this.#engine.connection.duplicate();
        const connection = await this.#connection;
        const wait = connection.command('wait', key, ['BLPOP', key, `${seconds}`]);
        const look = this.#behind?.(connection);
        const [element, found] = await Promise.all([wait, look]);
        taken = element !== null;
        // A look that is not found behind the wait may have been before it, on another connection of a cluster.
        looked = found === true || (found === false && !taken);
      } catch {
        // The next look tells the calls what is wrong, if it still is.
        this.#reconnect();
        if (this.#needed) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
      if (looked) continue;
      if (this.#needed) this.#onWake();
      else if (taken) await this.#engine.connection.command('wake', key, ['RPUSH', key, '1']).catch(() => undefined);
    }
    this.#running = false;
  }

  /** Clients connect again by themselves, unless the first attempt has failed. */
  #reconnect(): void {
    const failed = this.#connection;
    failed?.catch(() => {
      if (this.#connection === failed) this.#connection = undefined;
    });
  }
}
