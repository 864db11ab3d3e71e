// SPDX-License-Identifier: MIT
//
// How a received message becomes the result of a receive.
import { BufferTooShort } from '../core/errors.js';
import { ownCopy } from '../core/own-bytes.js';
import { checkBytes, checkRange, isDetached, type Bytes } from '../core/validate.js';

/**
 * Makes the result of a receive from a message. An error that it throws fails that receive; the message is consumed.
 */
export interface MessageDecoder<T> {
  /** Whether the result may be an incomplete message, which the receiver then completes. */
  readonly mayBeIncomplete?: boolean;
  /** From the first `length` bytes of memory that is used again: the result must not refer to it. */
  fromBorrowed(memory: Buffer, length: number): T;
  /** From memory that the result may keep. */
  fromOwned(message: Buffer): T;
  /** The caller's memory for a message of this length, if the caller has some that is large enough. */
  destination?(length: number): Buffer | undefined;
}

/** The bytes themselves. */
export const bytesDecoder: MessageDecoder<Buffer> = {
  fromBorrowed: (memory, length) => ownCopy(memory, 0, length),
  fromOwned: (message) => message,
};

/** Puts the bytes into existing memory. The result is their number. */
export function decoderInto(buffer: Bytes, offset: number): MessageDecoder<number> {
  const target = checkBytes(buffer, 'buffer');
  checkRange(offset, undefined, target.byteLength);
  const put = (message: Buffer): number => {
    // The memory may have been detached or shrunk since the call of the receive.
    if (offset + message.length > target.byteLength || isDetached(target)) {
      throw new BufferTooShort(ownCopy(message), Math.max(0, target.byteLength - offset));
    }
    // A large message is in its place already.
    const inPlace = message.buffer === target.buffer && message.byteOffset === target.byteOffset + offset;
    if (!inPlace) target.set(message, offset);
    return message.length;
  };
  return {
    fromBorrowed: (memory, length) => put(memory.subarray(0, length)),
    fromOwned: put,
    destination: (length) =>
      offset + length > target.byteLength ? undefined : Buffer.from(target.buffer, target.byteOffset + offset, length),
  };
}
