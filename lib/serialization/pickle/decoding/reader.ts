// SPDX-License-Identifier: MIT
import { UnpicklingError } from '../../../core/errors.js';
import { copyReceived } from '../../../core/large-buffers.js';
import { hostIsLittleEndian } from '../integers.js';
import { readShortText, readText, SHORT_TEXT } from '../text.js';

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

/**
 * Reads the arguments of opcodes from the bytes of a pickle. Nothing is allocated for a length before it was checked.
 */
export class PickleReader {
  readonly bytes: Buffer;
  /** The position of the next byte. */
  at = 0;
  /** Whether the value may refer to `bytes`. */
  readonly #keep: boolean;

  constructor(bytes: Buffer, keep: boolean) {
    this.bytes = bytes;
    this.#keep = keep;
  }

  /** An error about the current opcode. */
  error(message: string, cause?: unknown): UnpicklingError {
    const where = `${message} (at byte ${this.at} of ${this.bytes.length})`;
    return new UnpicklingError(where, cause === undefined ? undefined : { cause });
  }

  /** Skips so many bytes, which must be there. Returns the position of the first one. */
  skip(length: number): number {
    const start = this.at;
    if (length > this.bytes.length - start) throw this.error('The pickle is truncated');
    this.at = start + length;
    return start;
  }

  u8(): number {
    return this.bytes[this.skip(1)] as number;
  }

  u16(): number {
    const at = this.skip(2);
    return (this.bytes[at] as number) | ((this.bytes[at + 1] as number) << 8);
  }

  i32(): number {
    const { bytes } = this;
    const at = this.skip(4);
    return (
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    );
  }

  u32(): number {
    return this.i32() >>> 0;
  }

  /** A length of eight bytes. Beyond 2 ** 53 it is not exact, but such a length is refused in any case. */
  u64(): number {
    return this.u32() + this.u32() * 2 ** 32;
  }

  /** A length of four bytes that Python reads as a signed number. */
  length32(): number {
    const length = this.i32();
    if (length < 0) throw this.error('The pickle holds a negative length');
    return length;
  }

  /** A float of eight bytes, highest byte first. */
  double(): number {
    const at = this.skip(8);
    for (let i = 0; i < 8; i++) doubleBytes[hostIsLittleEndian ? 7 - i : i] = this.bytes[at + i] as number;
    return double[0] as number;
  }

  text(length: number): string {
    const start = this.skip(length);
    return length <= SHORT_TEXT
      ? readShortText(this.bytes, start, length)
      : readText(this.bytes, start, start + length);
  }

  binary(length: number): Buffer {
    const start = this.skip(length);
    const bytes = this.bytes.subarray(start, start + length);
    // A reference to a small part would keep the whole message in memory.
    return this.#keep && 2 * length > this.bytes.length ? bytes : copyReceived(bytes);
  }

  /** The rest of the line, without its end. */
  line(encoding: 'latin1' | 'utf8' = 'latin1'): string {
    const start = this.at;
    const end = this.bytes.indexOf(0x0a, start);
    if (end < 0) throw this.error('The pickle is truncated');
    this.at = end + 1;
    return this.bytes.toString(encoding, start, end);
  }
}
