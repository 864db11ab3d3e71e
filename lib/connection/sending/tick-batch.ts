// SPDX-License-Identifier: MIT
import { BYTES_PER_TURN } from '../../event-loop/reactor.js';
import { setImmediate } from '../../core/own-turns.js';

/** Messages are gathered up to this size before they are written. */
const GATHERED_BYTES = 64 * 1024;

const resolved = Promise.resolve();

/**
 * When messages that were sent together are written. The first one is written at once, so no message waits for company; later
 * ones are gathered and written together: at the end of the tick, or of the turn of the event loop if no caller waits for them.
 */
export class TickBatch {
  readonly #write: () => void;
  readonly #wholeTurn: boolean;
  #gathering = false;
  #immediate = false;
  /** How often messages were written before the end. */
  #early = 0;

  /**
   * @param write Writes what was gathered.
   * @param wholeTurn Whether messages are gathered for a turn of the event loop.
   */
  constructor(write: () => void, wholeTurn: boolean) {
    this.#write = write;
    this.#wholeTurn = wholeTurn;
  }

  /** Whether a message has been written, so that later ones are gathered. */
  get gathering(): boolean {
    return this.#gathering;
  }

  /** After the first message was written. */
  begin(): void {
    this.#gathering = true;
    if (this.#wholeTurn) this.#awaitTurn();
    else void resolved.then(this.#end);
  }

  /** After a message was put in line behind others. */
  add(): void {
    if (!this.#gathering) this.#awaitTurn();
  }

  /** Whether so much has gathered that it should be written now. The end of the tick or turn takes the rest. */
  isFull(bytes: number): boolean {
    return bytes >= GATHERED_BYTES && this.#early++ < BYTES_PER_TURN / GATHERED_BYTES;
  }

  #awaitTurn(): void {
    if (this.#immediate) return;
    this.#immediate = true;
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#immediate = false;
    this.#end();
  };

  readonly #end = (): void => {
    this.#gathering = false;
    this.#early = 0;
    this.#write();
  };
}
