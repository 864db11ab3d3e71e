// SPDX-License-Identifier: MIT
//
// Whole numbers in the form of pickles: two's complement, lowest byte first, of any length.
import { UnpicklingError } from '../../core/errors.js';

/** Whether this machine keeps the lowest byte of a number first, as pickles do with whole numbers. */
export const hostIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** The most bytes of a number. Python computes with longer ones, but decoding one here would take too long. */
const MAX_INTEGER_BYTES = 2 ** 20;

/** The most digits of a decimal number, as in Python: the time grows with the square of the length. */
const MAX_DIGITS = 4300;

const scratch = new BigInt64Array(1);
const scratchBytes = new Uint8Array(scratch.buffer);

/** A bigint as a number, if that is exact. */
export function narrow(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** The number in `length` bytes from `start` on. */
export function readInteger(bytes: Buffer, start: number, length: number): number | bigint {
  if (length === 0) return 0;
  if (length <= 6) return bytes.readIntLE(start, length);
  if (length > MAX_INTEGER_BYTES) {
    throw new UnpicklingError(`An int of ${length} bytes exceeds the limit of ${MAX_INTEGER_BYTES}`);
  }
  const hexadecimal = Buffer.from(bytes.subarray(start, start + length))
    .reverse()
    .toString('hex');
  return narrow(BigInt.asIntN(8 * length, BigInt(`0x${hexadecimal}`)));
}

/** The number of a decimal text; undefined if the text is not a number. */
export function parseInteger(text: string): number | bigint | undefined {
  if (text.length > MAX_DIGITS) {
    throw new UnpicklingError(`A decimal number of ${text.length} digits exceeds the limit of ${MAX_DIGITS}`);
  }
  return /^[+-]?\d+$/.test(text) ? narrow(BigInt(text.replace(/^\+/, ''))) : undefined;
}

/** The fewest bytes that hold a number. */
export function integerBytes(value: bigint): Uint8Array {
  if (BigInt.asIntN(64, value) === value) {
    scratch[0] = value;
    const bytes = Uint8Array.from(scratchBytes);
    return trim(hostIsLittleEndian ? bytes : bytes.reverse());
  }
  // The bytes of a negative number are those of its complement, inverted.
  const negative = value < 0n;
  const hexadecimal = (negative ? ~value : value).toString(16);
  const digits = hexadecimal.length + (hexadecimal.length % 2);
  const bytes = Buffer.from(`00${hexadecimal.padStart(digits, '0')}`, 'hex').reverse();
  if (negative) {
    for (let i = 0; i < bytes.length; i++) bytes[i] = ~(bytes[i] as number);
  }
  return trim(bytes);
}

/** Removes the highest bytes that are not needed for the number and its sign. */
function trim(bytes: Uint8Array): Uint8Array {
  let length = bytes.length;
  const sign = (bytes[length - 1] as number) >> 7;
  while (length > 1 && bytes[length - 1] === (sign === 1 ? 0xff : 0) && (bytes[length - 2] as number) >> 7 === sign) {
    length--;
  }
  return bytes.subarray(0, length);
}
