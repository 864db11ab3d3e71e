// SPDX-License-Identifier: MIT
//
// The memory that a message is written into. It is used again for the next message, unless a message is too large for
// it: fresh memory costs more than the encoding of a small message.
import { Buffer } from 'node:buffer';

import { allocateCopied } from '../../../core/message-memory.js';
import { putBytes } from '../../../core/own-bytes.js';
import { native } from '../../../native/addon.js';
import * as tags from '../tags.js';

/** A shorter string is written by characters, since a call of Node takes longer. */
const SHORT_TEXT = 40;

const WIDE = /[^\0-\xff]/;

/** How memory grows up to a size, and from there on. */
const GROWTH = 2;
const SLOW_GROWTH = 1.25;
const SLOW_GROWTH_BYTES = 16 * 1024 * 1024;

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

const none = Buffer.alloc(0);

/**
 * Memory that is used for one message after the other. The native layer copies messages of this size if they have to
 * wait, so the memory is free again after each call.
 */
let shared: Buffer | undefined;

/** Whether the next message will be in the same memory. */
export function isShared(bytes: Uint8Array): boolean {
  return shared !== undefined && bytes.buffer === shared.buffer;
}

/** The bytes of a message, in memory that stays as it is. */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  return isShared(bytes) ? Buffer.from(bytes) : bytes;
}

/** Writes the parts of a message, each behind the last. */
export class Output {
  readonly #first: Buffer;
  /** Its memory, which V8 fetches by a slow way. */
  readonly #memory: ArrayBufferLike;
  #bytes: Buffer;
  #end: number;
  #at = 0;

  /** @param first Memory that is used for each message that fits. */
  private constructor(first: Buffer) {
    this.#first = this.#bytes = first;
    this.#memory = first.buffer;
    this.#end = first.length;
  }

  /** Writes into the shared memory. There must be only one of this kind. */
  static shared(): Output {
    return new Output((shared ??= Buffer.allocUnsafeSlow(native.copiedBytes)));
  }

  /** Writes each message into memory of its own. */
  static own(): Output {
    return new Output(none);
  }

  /** The bytes that were written. They stay as they are unless `isShared` of them is true. */
  take(): Uint8Array {
    const isFirst = this.#bytes === this.#first;
    const bytes = isFirst ? new Uint8Array(this.#memory, 0, this.#at) : this.#bytes.subarray(0, this.#at);
    this.drop();
    return bytes;
  }

  /** Forgets what was written. */
  drop(): void {
    this.#bytes = this.#first;
    this.#end = this.#first.length;
    this.#at = 0;
  }

  byte(value: number): void {
    if (this.#at === this.#end) this.#grow(1);
    this.#bytes[this.#at++] = value;
  }

  /** Takes the last byte back. */
  back(): void {
    this.#at--;
  }

  /** A length, a count or a number of an object. */
  length(value: number): void {
    if (this.#end - this.#at < 5) this.#grow(5);
    const bytes = this.#bytes;
    let at = this.#at;
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
    bytes[at++] = rest;
    this.#at = at;
  }

  number(value: number): void {
    const integer = value | 0;
    if (integer !== value || (integer === 0 && Object.is(value, -0))) {
      this.byte(tags.DOUBLE);
      this.double(value);
      return;
    }
    if (this.#end - this.#at < 6) this.#grow(6);
    const bytes = this.#bytes;
    let at = this.#at;
    bytes[at++] = tags.INTEGER;
    let rest = ((integer << 1) ^ (integer >> 31)) >>> 0;
    for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
    bytes[at++] = rest;
    this.#at = at;
  }

  /** A number without a tag. */
  double(value: number): void {
    if (this.#end - this.#at < 8) this.#grow(8);
    double[0] = value;
    const bytes = this.#bytes;
    const at = this.#at;
    for (let i = 0; i < 8; i++) bytes[at + i] = doubleBytes[i] as number;
    this.#at = at + 8;
  }

  /** The sign and the bytes of a bigint, without a tag. */
  bigint(value: bigint): void {
    if (value === 0n) {
      this.byte(0);
      return;
    }
    const negative = value < 0n;
    const digits = (negative ? -value : value).toString(16);
    const size = Math.ceil(digits.length / 16) * 8;
    this.length(size * 2 + (negative ? 1 : 0));
    this.raw(Buffer.from(digits.padStart(size * 2, '0'), 'hex').reverse());
  }

  string(text: string): void {
    const { length } = text;
    if (length >= SHORT_TEXT) {
      this.#long(text, WIDE.test(text));
      return;
    }
    if (this.#end - this.#at < SHORT_TEXT + 2) this.#grow(SHORT_TEXT + 2);
    const bytes = this.#bytes;
    const at = this.#at + 2;
    let all = 0;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      all |= code;
      bytes[at + i] = code;
    }
    if (all > 0xff) {
      this.#long(text, true);
      return;
    }
    bytes[at - 2] = tags.LATIN1;
    bytes[at - 1] = length;
    this.#at = at + length;
  }

  /** Bytes that were written before, such as a key: not many. */
  again(written: Uint8Array): void {
    const { length } = written;
    if (this.#end - this.#at < length) this.#grow(length);
    const bytes = this.#bytes;
    const at = this.#at;
    for (let i = 0; i < length; i++) bytes[at + i] = written[i] as number;
    this.#at = at + length;
  }

  /** Any bytes. */
  raw(data: Uint8Array): void {
    if (this.#end - this.#at < data.length) this.#grow(data.length);
    putBytes(this.#bytes, data, this.#at);
    this.#at += data.length;
  }

  #long(text: string, wide: boolean): void {
    const size = wide ? 2 * text.length : text.length;
    // Some versions of V8 want characters of two bytes at even places.
    if (wide && (this.#at + 1 + bytesOfLength(size)) % 2 === 1) this.byte(tags.PADDING);
    this.byte(wide ? tags.UTF16 : tags.LATIN1);
    this.length(size);
    if (this.#end - this.#at < size) this.#grow(size);
    this.#bytes.write(text, this.#at, size, wide ? 'utf16le' : 'latin1');
    this.#at += size;
  }

  /** Makes room for further bytes, in memory that is not used again. */
  #grow(more: number): void {
    const growth = this.#end < SLOW_GROWTH_BYTES ? GROWTH : SLOW_GROWTH;
    const grown = allocateCopied(Math.max(64, Math.ceil(this.#end * growth), this.#at + more));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
    this.#end = grown.length;
  }
}

/** How many bytes a length takes. */
export function bytesOfLength(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : length < 0x10000000 ? 4 : 5;
}
