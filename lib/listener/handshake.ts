// SPDX-License-Identifier: MIT
//
// An authentication over a Connection that no other code uses yet. It never waits by itself: the caller calls `advance`
// when something may have arrived, so one thread can have many authentications, blocking or not.
import { LONGEST_AUTH_MESSAGE, type Talk } from './authentication.js';
import type { Channel } from '../connection/channel.js';
import { Connection } from '../connection/connection.js';
import { AuthenticationError } from '../core/errors.js';
import { bytesDecoder } from '../serialization/message-decoder.js';

const wanted = { operation: 'authentication', maxLength: LONGEST_AUTH_MESSAGE };

function ignore(): void {
  // A peer that does not receive the message does not answer it either.
}

export class Handshake {
  readonly #connection: Connection<unknown>;
  readonly #channel: Channel;
  readonly #talk: Talk;
  #next: IteratorResult<Uint8Array | undefined, void>;

  constructor(connection: Connection<unknown>, talk: Talk) {
    this.#connection = connection;
    this.#channel = Connection.channelOf(connection);
    this.#talk = talk;
    this.#next = talk.next();
  }

  get fd(): number {
    return this.#channel.fd;
  }

  /**
   * Goes on as far as it can. True when both sides have proved that they have the key.
   *
   * @throws `AuthenticationError`, whatever the reason, after which the Connection is closed.
   */
  advance(): boolean {
    try {
      while (this.#next.done !== true) {
        if (this.#next.value !== undefined) {
          // A few short messages always fit the buffers of a new connection.
          this.#connection.sendBytes(this.#next.value).catch(ignore);
          this.#next = this.#talk.next(undefined as never);
        } else {
          const received = this.#channel.receiver.tryReceive(bytesDecoder, wanted);
          if (received === undefined) return false;
          this.#next = this.#talk.next(received.value);
        }
      }
      return true;
    } catch (error) {
      // The other side is told why, before what it does not take is dropped.
      this.#channel.sender.flush();
      this.#connection.close({ discard: true });
      if (error instanceof AuthenticationError) throw error;
      const text = `The authentication was broken off: ${(error as Error).message}`;
      throw new AuthenticationError(text, { cause: error });
    }
  }

  /** Calls `callback` once when a message may have arrived. The returned function cancels that. */
  onceReadable(callback: () => void): () => void {
    return this.#channel.onceReadable(callback);
  }
}
