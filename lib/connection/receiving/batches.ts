// SPDX-License-Identifier: MIT
//
// What a receive of many messages does besides receiving the first one.
import { native } from '../../native/addon.js';
import { BYTES_PER_TURN, countBytes } from '../../event-loop/reactor.js';
import { bytesDecoder, type MessageDecoder } from '../../serialization/message-decoder.js';
import { isIncomplete } from './incomplete-message.js';
import type { KeptMessages } from './kept-messages.js';
import { isMessage, type MessageSource } from './message-source.js';

/** The name of a receive in errors, and the longest message that it accepts. */
export interface ReceiveOptions {
  readonly operation: string;
  readonly maxLength: number;
}

/** How many messages a batch has at most. */
export interface BatchReceiveOptions extends ReceiveOptions {
  readonly max: number;
}

export class Batches {
  readonly #source: MessageSource;
  readonly #kept: KeptMessages;
  /** What has ended a batch that had messages already, and is the outcome of the next receive. */
  #postponed: (() => unknown) | undefined;

  constructor(source: MessageSource, kept: KeptMessages) {
    this.#source = source;
    this.#kept = kept;
  }

  /** Whether the outcome of the next receive is known to be a failure. */
  get postponed(): boolean {
    return this.#postponed !== undefined;
  }

  /** Whether the next receive has another outcome than the next message. */
  get ended(): boolean {
    return this.#postponed !== undefined || this.#kept.first !== undefined;
  }

  throwPostponed(): void {
    const postponed = this.#postponed;
    if (postponed === undefined) return;
    this.#postponed = undefined;
    throw postponed();
  }

  /**
   * Adds the messages that are there to the first one of a batch. What ends the batch early is left to the next receive.
   *
   * @param before How many bytes the source had handed out before the first one.
   */
  gather<T>(
    decoder: MessageDecoder<T>,
    { operation, maxLength, max }: BatchReceiveOptions,
    first: T,
    before: number,
  ): T[] {
    const source = this.#source;
    const batch = [first];
    const room = (): number => BYTES_PER_TURN - (source.bytesTaken - before);
    try {
      while (!this.ended) {
        if ((decoder as MessageDecoder<unknown>) === bytesDecoder) {
          source.takeHeldBytes(batch as Uint8Array[], max, maxLength, room());
        }
        if (batch.length >= max) break;
        const status = source.next(decoder, maxLength, true, room());
        if (!isMessage(status)) {
          if (status !== native.status.again) {
            this.#postponed = () => source.failure(status, operation, maxLength);
          }
          break;
        }
        const value = source.take(decoder, status);
        if (isIncomplete(decoder, value)) this.#kept.keep(value);
        else batch.push(value);
      }
    } catch (error) {
      this.#postponed = () => error;
    }
    countBytes(source.bytesTaken - before);
    return batch;
  }
}
