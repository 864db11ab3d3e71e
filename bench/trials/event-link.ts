// SPDX-License-Identifier: MIT
import type { Link } from './trial.js';

/** A peer whose messages arrive as events, whatever it calls them. */
export interface EventChannel {
  /** Sends one message. Returns false if the caller should wait for {@link drained} before the next one. */
  post(payload: Buffer): boolean;
  /** Resolves when the peer takes more. Called only after `post` returned false. */
  drained(): Promise<void>;
  close(): void;
}

/** The measured loops over events: each message that arrives sends the next one, without a promise in between. */
export class EventLink implements Link {
  readonly #channel: EventChannel;
  readonly #payload: Buffer;
  readonly #bounce: boolean;
  #reply: Buffer;
  #left = 0;
  #finished: () => void = () => undefined;

  /**
   * @param bounce Whether to send back the Buffer that arrived instead of the payload. A transferred payload requires
   *   it: it is gone from this side once it was sent.
   */
  constructor(channel: EventChannel, payload: Buffer, bounce = false) {
    this.#channel = channel;
    this.#payload = payload;
    this.#bounce = bounce;
    this.#reply = payload;
  }

  /** The channel calls this for each message that arrives. */
  readonly received = (message: Buffer): void => {
    this.#reply = message;
    this.#left--;
    if (this.#left > 0) {
      this.#channel.post(this.#bounce ? message : this.#payload);
    } else {
      this.#finished();
    }
  };

  roundTrips(count: number): Promise<void> {
    const done = this.#expect(count);
    this.#channel.post(this.#bounce ? this.#reply : this.#payload);
    return done;
  }

  async oneWay(count: number): Promise<void> {
    const done = this.#expect(1);
    for (let i = 0; i < count; i++) {
      if (!this.#channel.post(this.#payload)) await this.#channel.drained();
    }
    await done;
  }

  lastReply(): Uint8Array {
    return this.#reply;
  }

  close(): void {
    this.#channel.close();
  }

  #expect(count: number): Promise<void> {
    this.#left = count;
    return new Promise((resolve) => {
      this.#finished = resolve;
    });
  }
}
