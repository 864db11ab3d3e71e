// SPDX-License-Identifier: MIT

/** How many workers may end in a row, without any sign of success, before the next one is delayed. */
const FREE_DEATHS = 3;

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;

/** How many workers in a row may end before they are ready, until the pool gives up. */
const MOST_FAILED_STARTS = 5;

/** Slows down the replacement of workers that end one after the other. */
export class Brake {
  readonly #onFree: () => void;
  #deaths = 0;
  #failedStarts = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param onFree Called when a delay is over. */
  constructor(onFree: () => void) {
    this.#onFree = onFree;
  }

  /** Whether no worker may be started at the moment. */
  get on(): boolean {
    return this.#timer !== undefined;
  }

  /** Whether so many workers have ended before they were ready that the next one would do the same. */
  get hopeless(): boolean {
    return this.#failedStarts >= MOST_FAILED_STARTS;
  }

  /** How many workers have ended in a row. */
  get deaths(): number {
    return this.#deaths;
  }

  /** A worker has become ready. */
  started(): void {
    this.#failedStarts = 0;
  }

  /** A task has ended in its worker, with a result or an error. */
  succeeded(): void {
    this.#deaths = 0;
    this.#failedStarts = 0;
  }

  /**
   * A worker has ended by itself, or was killed from outside. Returns the delay until the next one is started, in milliseconds.
   */
  died(wasReady: boolean): number {
    this.#deaths++;
    if (!wasReady) this.#failedStarts++;
    if (this.#deaths <= FREE_DEATHS) return 0;
    const delay = Math.min(FIRST_DELAY_MS * 2 ** (this.#deaths - FREE_DEATHS - 1), LONGEST_DELAY_MS);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#onFree();
    }, delay).unref();
    return delay;
  }

  /** Ends a delay. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
