// SPDX-License-Identifier: MIT
import { hostIsLittleEndian, integerBytes } from '../integers.js';
import {
  BINBYTES,
  BINBYTES8,
  BINFLOAT,
  BINGET,
  BININT,
  BININT1,
  BININT2,
  BINUNICODE,
  LONG1,
  LONG4,
  LONG_BINGET,
  MEMOIZE,
  NEWFALSE,
  NEWTRUE,
  NONE,
  PROTO,
  PROTOCOL,
  SHORT_BINBYTES,
  SHORT_BINUNICODE,
  STOP,
} from '../opcodes.js';
import { writeIllFormed } from '../text.js';

/** Many small pickles share one slab, as Node's own small Buffers do. */
const SLAB_BYTES = 64 * 1024;

/** With less room than this, a pickle begins a new slab. */
const LEAST_ROOM = 4 * 1024;

/** Up to this length, copying the characters here is faster than a call of Node's function. */
const BY_HAND = 48;

/** The longest string whose length in bytes is estimated. That of a longer one is counted. */
const ESTIMATED = 16 * 1024;

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

const nothing = Buffer.alloc(0);

function makeSlab(): Buffer {
  const slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  // Transferring one pickle to a worker would take the memory of all others away. The module is loaded with the first
  // slab, since most processes never make one.
  process.getBuiltinModule('node:worker_threads').markAsUntransferable(slab.buffer);
  return slab;
}

/** Writes the opcodes of single values into memory that grows. Protocol 4, without frames, which are optional. */
export class PickleWriter {
  protected bytes: Buffer = nothing;
  /** Where the next byte goes. */
  protected at = 0;
  /** Where this pickle begins. */
  #start = 0;
  #memoized = 0;

  /** Begins a pickle, behind the last one. */
  protected begin(): void {
    if (this.bytes.length - this.at < LEAST_ROOM) {
      this.bytes = makeSlab();
      this.at = 0;
    }
    this.#start = this.at;
    this.#memoized = 0;
    this.bytes[this.at++] = PROTO;
    this.bytes[this.at++] = PROTOCOL;
  }

  /** Ends the pickle and returns it. Its memory is not written to again. */
  protected finish(): Buffer {
    this.byte(STOP);
    const pickle = this.bytes.subarray(this.#start, this.at);
    this.#releaseMemory();
    return pickle;
  }

  /** Discards what was written since `begin`. */
  protected undo(): void {
    this.at = this.#start;
    this.#releaseMemory();
  }

  /** A pickle that did not fit into a slab keeps its memory for itself. */
  #releaseMemory(): void {
    if (this.bytes.length === SLAB_BYTES) return;
    this.bytes = nothing;
    this.at = 0;
  }

  protected room(size: number): void {
    if (this.at + size > this.bytes.length) this.#grow(size);
  }

  #grow(size: number): void {
    const written = this.at - this.#start;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * SLAB_BYTES, 2 * written, written + size + LEAST_ROOM));
    this.bytes.copy(larger, 0, this.#start, this.at);
    this.bytes = larger;
    this.#start = 0;
    this.at = written;
  }

  protected byte(value: number): void {
    this.room(1);
    this.bytes[this.at++] = value;
  }

  /** An opcode with an argument of four bytes. There must be room. */
  #long(opcode: number, value: number): void {
    const { bytes, at } = this;
    bytes[at] = opcode;
    bytes[at + 1] = value;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value >>> 16;
    bytes[at + 4] = value >>> 24;
    this.at = at + 5;
  }

  /** Gives the value that was just written a memo number, by which `get` refers to it. */
  protected memoize(): number {
    this.byte(MEMOIZE);
    return this.#memoized++;
  }

  /** How many values have memo numbers. */
  protected get memoized(): number {
    return this.#memoized;
  }

  /** Writes a reference to a value that has a memo number. */
  protected get(index: number): void {
    this.room(5);
    if (index > 0xff) {
      this.#long(LONG_BINGET, index);
      return;
    }
    this.bytes[this.at++] = BINGET;
    this.bytes[this.at++] = index;
  }

  none(): void {
    this.byte(NONE);
  }

  boolean(value: boolean): void {
    this.byte(value ? NEWTRUE : NEWFALSE);
  }

  /** An int if the number is whole and exact, else a float. */
  number(value: number): void {
    if ((value | 0) === value) {
      // Bit operations lose the sign of -0.
      if (value === 0 && 1 / value < 0) this.float(value);
      else this.#int32(value);
    } else if (Number.isSafeInteger(value)) {
      this.bigint(BigInt(value));
    } else {
      this.float(value);
    }
  }

  #int32(value: number): void {
    this.room(5);
    const { bytes } = this;
    if (value >>> 0 > 0xffff) {
      this.#long(BININT, value);
    } else if (value > 0xff) {
      bytes[this.at++] = BININT2;
      bytes[this.at++] = value;
      bytes[this.at++] = value >>> 8;
    } else {
      bytes[this.at++] = BININT1;
      bytes[this.at++] = value;
    }
  }

  /** A float, highest byte first. */
  float(value: number): void {
    this.room(9);
    const { bytes, at } = this;
    double[0] = value;
    bytes[at] = BINFLOAT;
    for (let i = 0; i < 8; i++) bytes[at + 1 + i] = doubleBytes[hostIsLittleEndian ? 7 - i : i] as number;
    this.at = at + 9;
  }

  bigint(value: bigint): void {
    if (BigInt.asIntN(32, value) === value) {
      this.#int32(Number(value));
      return;
    }
    const integer = integerBytes(value);
    this.room(5 + integer.length);
    if (integer.length > 0xff) {
      this.#long(LONG4, integer.length);
    } else {
      this.bytes[this.at++] = LONG1;
      this.bytes[this.at++] = integer.length;
    }
    this.bytes.set(integer, this.at);
    this.at += integer.length;
  }

  text(value: string): void {
    const { length } = value;
    if (length > BY_HAND) {
      this.#longText(value);
      return;
    }
    this.room(BY_HAND + 2);
    const { bytes, at } = this;
    let end = at + 2;
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 0x7f) {
        this.#longText(value);
        return;
      }
      bytes[end++] = unit;
    }
    bytes[at] = SHORT_BINUNICODE;
    bytes[at + 1] = length;
    this.at = end;
  }

  #longText(value: string): void {
    const most = value.length > ESTIMATED && value.isWellFormed() ? Buffer.byteLength(value) : 3 * value.length;
    this.room(5 + most);
    const start = this.at + (most <= 0xff ? 2 : 5);
    const end = value.isWellFormed()
      ? start + this.bytes.write(value, start, 'utf8')
      : writeIllFormed(this.bytes, start, value);
    if (most <= 0xff) {
      this.bytes[this.at] = SHORT_BINUNICODE;
      this.bytes[this.at + 1] = end - start;
    } else {
      this.#long(BINUNICODE, end - start);
    }
    this.at = end;
  }

  binary(value: Uint8Array): void {
    const { length } = value;
    this.room(9 + length);
    if (length <= 0xff) {
      this.bytes[this.at++] = SHORT_BINBYTES;
      this.bytes[this.at++] = length;
    } else if (length <= 0xffffffff) {
      this.#long(BINBYTES, length);
    } else {
      this.bytes[this.at++] = BINBYTES8;
      this.bytes.writeBigUInt64LE(BigInt(length), this.at);
      this.at += 8;
    }
    this.bytes.set(value, this.at);
    this.at += length;
  }
}
