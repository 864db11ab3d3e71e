// SPDX-License-Identifier: MIT
//
// The messages of one endpoint, one after the other, as far as they have arrived.
import { millisecondsLeft } from '../../core/deadline.js';
import { receiveError } from '../../core/status-errors.js';
import { native } from '../../native/addon.js';
import { BYTES_PER_TURN } from '../../event-loop/reactor.js';
import { listensForSignals } from '../../event-loop/sync-wait.js';
import { bytesDecoder, type MessageDecoder } from '../../serialization/message-decoder.js';
import { Frames, HEADER_BYTES } from './frames.js';
import { LargeMessage } from './large-message.js';

const codes = native.status;

export class MessageSource {
  readonly #id: number;
  readonly #maxMessageBytes: number;
  readonly #frames: Frames;
  readonly #large = new LargeMessage();
  /** Set when the stream is out of step with its sender: nothing more can be received. */
  unreadable = false;
  /** How many bytes the messages had that were taken, with their headers. */
  bytesTaken = 0;

  constructor(id: number, maxMessageBytes: number, views: boolean) {
    this.#id = id;
    this.#maxMessageBytes = maxMessageBytes;
    this.#frames = new Frames(views);
  }

  /** Whether there is a message that needs no call of the native layer. */
  get holds(): boolean {
    return !this.#frames.empty;
  }

  /** The length of the next of them. */
  get length(): number {
    return this.#frames.length;
  }

  /** Whether a receive would make progress without reading from the kernel. */
  get ready(): boolean {
    return this.holds || native.readReady(this.#id) === 1;
  }

  /**
   * Looks for the next message. Returns its length if it is a small one, `largeMessage` when a large one is whole, `again`, or
   * another failure. `take` makes a value of it.
   *
   * @param longest A longer message than this is left where it is, as if it had not arrived.
   */
  next(decoder: MessageDecoder<unknown>, maxLength: number, mayWait: boolean, longest = Infinity): number {
    if (this.#holdsUpTo(maxLength)) return this.#frames.length <= longest ? this.#frames.length : codes.again;
    const status = this.#frames.fill((memory, offset) => native.receive(this.#id, memory, offset, maxLength, mayWait));
    if (status >= 0) return this.#frames.length <= longest ? this.#frames.length : codes.again;
    if (status !== codes.largeMessage || native.messageLength(this.#id) > longest) {
      return status === codes.largeMessage ? codes.again : status;
    }
    this.#beginLarge(decoder);
    return this.#fillLarge((bytes) => native.receiveLarge(this.#id, bytes, BYTES_PER_TURN));
  }

  /** As `next`, blocking. */
  nextSync(decoder: MessageDecoder<unknown>, maxLength: number, deadline: number, spinNs: number): number {
    if (this.#holdsUpTo(maxLength)) return this.#frames.length;
    // Looking for listeners of signals costs more than it saves, unless the call is likely to sleep.
    const uninterrupted = spinNs === 0 && deadline === Infinity && !listensForSignals();
    const left = millisecondsLeft(deadline);
    const status = this.#frames.fill((memory, offset) =>
      native.receiveSync(this.#id, memory, offset, maxLength, left, spinNs, uninterrupted),
    );
    if (status >= 0) return this.#frames.length;
    if (status !== codes.largeMessage) return status;
    this.#beginLarge(decoder);
    const quiet = deadline === Infinity && !listensForSignals();
    return this.#fillLarge((bytes) => native.receiveLargeSync(this.#id, bytes, millisecondsLeft(deadline), quiet));
  }

  /** The value of the message that was found with this status. */
  take<T>(decoder: MessageDecoder<T>, status: number): T {
    if (status >= 0) return this.takeHeld(decoder);
    const message = this.#large.take();
    this.bytesTaken += message.length;
    return decoder.fromOwned(message);
  }

  /** The value of the next of the messages that it holds. */
  takeHeld<T>(decoder: MessageDecoder<T>): T {
    this.bytesTaken += HEADER_BYTES + this.#frames.length;
    if ((decoder as MessageDecoder<unknown>) === bytesDecoder) return this.#frames.takeBytes() as T;
    const bytes = this.#frames.takeBorrowed();
    return decoder.fromBorrowed(bytes, bytes.length);
  }

  /** Adds the bytes of messages that it holds to a batch. See `Frames.takeMany`. */
  takeHeldBytes(batch: Uint8Array[], most: number, maxLength: number, room: number): void {
    this.bytesTaken += this.#frames.takeMany(batch, most, maxLength, room);
  }

  /** The next descriptor on the stream, or a failure. */
  nextDescriptor(): number {
    this.giveBack();
    return native.receiveDescriptor(this.#id);
  }

  /** Gives the messages that it holds back to the native layer. */
  giveBack(): void {
    if (this.holds) native.putHeld(this.#id, this.#frames.takeAll());
  }

  /** The error for what `next` or `nextDescriptor` returned. */
  failure(status: number, operation: string, maxLength: number): Error {
    if (status === codes.badLength || status === codes.tooLong || status === codes.unexpectedDescriptor) {
      this.unreadable = true;
      this.#large.drop();
    } else if (status === codes.truncated) {
      this.#large.drop();
    }
    return receiveError(status, this.#id, operation, Math.min(maxLength, this.#maxMessageBytes));
  }

  /** A large message no longer uses memory of the caller. */
  detach(): void {
    this.#large.detach();
  }

  /** Whether there is a message of at most this length. A longer one is refused where all others are. */
  #holdsUpTo(maxLength: number): boolean {
    if (!this.holds) return false;
    if (this.#frames.length <= maxLength) return true;
    this.giveBack();
    return false;
  }

  /** A message is read straight into the caller's memory. If the receive ends early, what has come is moved to other memory. */
  #beginLarge(decoder: MessageDecoder<unknown>): void {
    if (!this.#large.begun) this.#large.borrow(decoder.destination?.(native.messageLength(this.#id)));
  }

  #fillLarge(read: (bytes: Buffer) => number): number {
    return this.#large.fill(native.messageLength(this.#id), read);
  }
}

/** Whether what `next` has returned is a message, small or large. */
export function isMessage(status: number): boolean {
  return status >= 0 || status === codes.largeMessage;
}
