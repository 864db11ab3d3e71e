// SPDX-License-Identifier: MIT
import type { MessageDecoder } from '../../serialization/message-decoder.js';

/**
 * A message that has been received, while something that belongs to it is still to come. A decoder that
 * `mayBeIncomplete` returns one in the place of a value. The receiver keeps it, lets it go on when there may be more,
 * and returns its value.
 */
export abstract class IncompleteMessage {
  /** Whether what is missing comes another way, so that bytes on the stream say nothing about it. */
  abstract readonly waitsElsewhere: boolean;

  /** Whether nothing is missing any more. */
  abstract readonly complete: boolean;

  /**
   * Takes what has come of what is missing. Returns whether the message is complete.
   *
   * @param nextDescriptor Receives the next descriptor from the stream; undefined if it has not come yet.
   * @param whenMore To be called once, later, when what comes another way is there.
   */
  abstract advance(nextDescriptor: () => number | undefined, whenMore: () => void): boolean;

  /**
   * Blocks until the message is complete. After a `TimeoutError` or an `InterruptedError` it can go on.
   *
   * @param nextDescriptor Receives the next descriptor from the stream, blocking.
   */
  abstract advanceSync(nextDescriptor: () => number, operation: string, deadline: number): void;

  /** The value of the complete message. Called once; it uses up the descriptors, also if it throws. */
  abstract open(): unknown;

  /** Closes the descriptors that have come: the message will not be opened. */
  abstract drop(): void;
}

/** Whether a decoder's result is a message of which something is still to come. */
export function isIncomplete(decoder: MessageDecoder<unknown>, value: unknown): value is IncompleteMessage {
  return decoder.mayBeIncomplete === true && value instanceof IncompleteMessage;
}
