// SPDX-License-Identifier: MIT
import { BYTES_PER_TURN } from '../../event-loop/reactor.js';

/** Messages of one tick are gathered up to this size before they are written. */
const GATHERED_BYTES = 64 * 1024;

const resolved = Promise.resolve();

/** What a batch asks of its sender. */
export interface BatchOwner {
  /** Whether the kernel has no room: then the end of the tick is no reason to write. */
  readonly blocked: boolean;
  flush(): void;
}

/**
 * When the messages of one tick are written. The first one is written at once, so no message waits for company; later ones
 * are gathered and written together, at the end of the tick or when there are enough of them.
 */
export class TickBatch {
  readonly #sender: BatchOwner;
  #gathering = false;
  #immediate = false;
  /** How often this tick's messages were written before its end. */
  #early = 0;

  constructor(sender: BatchOwner) {
    this.#sender = sender;
  }

  /** Whether a message of this tick has been written, so that later ones are gathered. */
  get gathering(): boolean {
    return this.#gathering;
  }

  /** After the first message of a tick was written. */
  begin(): void {
    this.#gathering = true;
    void resolved.then(() => {
      this.#gathering = false;
      this.#endTick();
    });
  }

  /**
   * After a message was put in line behind others.
   *
   * @param bytes How many bytes wait now.
   */
  add(bytes: number): void {
    if (!this.#gathering && !this.#immediate) {
      this.#immediate = true;
      setImmediate(() => {
        this.#immediate = false;
        this.#endTick();
      });
    }
    if (bytes >= GATHERED_BYTES && this.#early < BYTES_PER_TURN / GATHERED_BYTES) {
      this.#early++;
      this.#sender.flush();
    }
  }

  #endTick(): void {
    this.#early = 0;
    if (!this.#sender.blocked) this.#sender.flush();
  }
}
