// SPDX-License-Identifier: MIT
//
// The results that a receive can have, made from a message.
import { BufferTooShort } from '../core/errors.js';
import { checkBytes, checkRange, isDetached, type Bytes } from '../core/validate.js';

/** Makes the result of a receive from a message. Whatever it throws fails that receive; the message is consumed. */
export interface Take<T> {
  /** Whether the result may be a Parcel, which the receiver then completes. */
  readonly mayBeParcel?: boolean;
  /** From memory that is only lent. */
  small(lent: Buffer, length: number): T;
  /** From memory that may be kept. */
  large(message: Buffer): T;
  /** The caller's memory for a message of this length, if the caller has some that is large enough. */
  destination?(length: number): Buffer | undefined;
}

function copyOf(lent: Buffer, length: number): Buffer {
  const copy = Buffer.allocUnsafe(length);
  lent.copy(copy, 0, 0, length);
  return copy;
}

/** The bytes themselves. */
export const takeBytes: Take<Buffer> = {
  small: copyOf,
  large: (message) => message,
};

/** Their number, after they were put into existing memory. */
export function takeInto(buffer: Bytes, offset: number): Take<number> {
  const target = checkBytes(buffer, 'buffer');
  checkRange(offset, undefined, target.byteLength);
  const put = (message: Buffer): number => {
    // The memory may have been detached or shrunk since the receive was asked for.
    if (offset + message.length > target.byteLength || isDetached(target)) {
      throw new BufferTooShort(Buffer.from(message), Math.max(0, target.byteLength - offset));
    }
    // A Sync receive has put a large message in its place already.
    const inPlace = message.buffer === target.buffer && message.byteOffset === target.byteOffset + offset;
    if (!inPlace) target.set(message, offset);
    return message.length;
  };
  return {
    small: (lent, length) => put(lent.subarray(0, length)),
    large: put,
    destination: (length) =>
      offset + length > target.byteLength ? undefined : Buffer.from(target.buffer, target.byteOffset + offset, length),
  };
}
