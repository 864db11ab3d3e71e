// SPDX-License-Identifier: MIT
import { types, inspect } from 'node:util';

import { argumentError } from '../core/errors.js';
import { checkInteger, checkOptionNames, optionNames } from '../core/validate.js';
import { kReduce } from '../reduction/registry.js';
import { shareableMark } from '../reduction/shareable.js';
import { SharedMemory, type SharedMemoryDescriptor } from './shared-memory.js';

/** What an item of a ShareableList can be. */
export type ListItem = number | bigint | boolean | string | Uint8Array | null;

/** Options of a `ShareableList`. */
export interface ShareableListOptions {
  /** The name of its block. Without items, it is the name of a list that exists. */
  name?: string | undefined;
}

const names = optionNames<ShareableListOptions>({ name: true });
const mark = shareableMark('ShareableList');

/** An item as it is stored: its format for Python's struct, its bytes, and how it is read back. */
interface Packed {
  readonly format: string;
  readonly bytes: Buffer;
  /** CPython: `_back_transforms_mapping`: 0 as it is, 1 str, 2 bytes, 3 None. */
  readonly code: number;
}

const BOOL = 'xxxxxxx?';
const NONE = 'xxxxxx?x';

function eight(write: (bytes: Buffer) => unknown): Buffer {
  const bytes = Buffer.alloc(8);
  write(bytes);
  return bytes;
}

/** @param current The format that the item has had: a number that was a float stays one. */
function pack(value: unknown, name: string, current?: string): Packed {
  if (value === null) return { format: NONE, bytes: Buffer.alloc(8), code: 3 };
  if (typeof value === 'boolean') return { format: BOOL, bytes: eight((b) => b.writeUInt8(Number(value), 7)), code: 0 };
  if (typeof value === 'string' || types.isUint8Array(value)) {
    const isText = typeof value === 'string';
    const bytes = isText ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.length);
    // CPython counts characters, and cuts off the bytes of a text that do not fit.
    return { format: `${8 * (Math.floor(bytes.length / 8) + 1)}s`, bytes, code: isText ? 1 : 2 };
  }
  if (typeof value === 'number' && (current === 'd' || !Number.isInteger(value))) {
    return { format: 'd', bytes: eight((b) => b.writeDoubleLE(value)), code: 0 };
  }
  if (typeof value !== 'number' && typeof value !== 'bigint') {
    throw argumentError('type', `${name} must be a number, bigint, boolean, string, Buffer or null`);
  }
  const integer = BigInt(value);
  if (integer !== BigInt.asIntN(64, integer)) throw argumentError('range', `${name} must fit 64 bits`);
  return { format: 'q', bytes: eight((b) => b.writeBigInt64LE(integer)), code: 0 };
}

/** Without the zeros at the end, as in CPython. */
function stripped(bytes: Buffer): Buffer {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length--;
  return bytes.subarray(0, length);
}

/**
 * A list of a fixed length in shared memory, whose items can be exchanged. CPython: `shared_memory.ShareableList`.
 *
 * A string or a Buffer can be replaced by one that fits its room, a multiple of 8 bytes. Zeros at its end are lost, as
 * in CPython. The lists of Python 3.8 have another format, which is understood, but that Python understands no other.
 */
export class ShareableList {
  /** Its memory. */
  readonly shm: SharedMemory;
  readonly #length: number;
  /** Where the items begin, and where the last one ends. */
  readonly #offsets: readonly number[];

  /** @param items The items of a new list. Without them and with a name, the list exists. */
  constructor(items?: Iterable<ListItem>, options: ShareableListOptions = {}) {
    checkOptionNames(options, names);
    const { name } = options;
    if (items === undefined && name !== undefined) this.shm = new SharedMemory({ name });
    else this.shm = make([...(items ?? [])], name);
    try {
      const words = (index: number): number => Number(this.shm.buf.readBigInt64LE(8 * index));
      const length = words(0);
      const most = this.shm.size / 8;
      checkInteger(length, 'the length of the list', 0, most);
      const offsets = length > 0 && words(1) !== 0 ? oldOffsets(length, words) : newOffsets(length, words);
      this.#offsets = offsets;
      this.#length = length;
      for (const [i, offset] of offsets.entries())
        checkInteger(offset, `offset ${i}`, offsets[i - 1] ?? 0, this.shm.size);
      checkInteger(this.#formats + 9 * length, 'the size of the list', 0, this.shm.size);
    } catch (error) {
      this.shm.close();
      throw error;
    }
    Object.defineProperty(this, 'shareable', mark);
  }

  /** How many items it has. CPython: `len()`. */
  get length(): number {
    return this.#length;
  }

  /** An item. Integers that are not exact as a number are bigints. CPython: `list[index]`. */
  get(index: number): ListItem {
    const { start, end, format, code } = this.#item(index);
    const bytes = this.shm.buf.subarray(start, end);
    if (format === 'd') return bytes.readDoubleLE();
    if (format === BOOL) return bytes[7] !== 0;
    if (code === 3) return null;
    if (format === 'q') {
      const value = bytes.readBigInt64LE();
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    }
    const content = stripped(bytes);
    return code === 1 ? content.toString() : Buffer.from(content);
  }

  /** Replaces an item. Throws a RangeError for a string or Buffer that is too long. CPython: `list[index] = value`. */
  set(index: number, value: ListItem): void {
    const { start, end, format } = this.#item(index);
    const packed = pack(value, 'value', format);
    const room = end - start;
    if (packed.bytes.length > room) throw argumentError('range', `value must be at most ${room} bytes long here`);
    const { buf } = this.shm;
    const isText = packed.code === 1 || packed.code === 2;
    const stored = isText ? `${room}s` : packed.format;
    buf.write(stored.padEnd(8, '\0'), this.#formats + 8 * index, 'latin1');
    buf.writeInt8(packed.code, this.#formats + 8 * this.#length + index);
    packed.bytes.copy(buf, start);
    if (isText) buf.fill(0, start + packed.bytes.length, end);
  }

  /** How many items equal a value. CPython: `count(value)`. */
  count(value: ListItem): number {
    return [...this].filter((item) => isSame(item, value)).length;
  }

  /** The index of the first item that equals a value; -1 if there is none. CPython: `index(value)`. */
  indexOf(value: ListItem): number {
    return [...this].findIndex((item) => isSame(item, value));
  }

  /** The items, each as it is when it is asked for. */
  *[Symbol.iterator](): IterableIterator<ListItem> {
    for (let i = 0; i < this.#length; i++) yield this.get(i);
  }

  /** Whether this object was closed. */
  get closed(): boolean {
    return this.shm.closed;
  }

  /** Closes `shm`; the block stays until `shm.unlink()`. */
  close(): void {
    this.shm.close();
  }

  /** `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** What console.log shows. CPython: `ShareableList([...], name='psm_...')`. */
  [inspect.custom](): string {
    return `ShareableList { name: '${this.shm.name}', ${this.closed ? 'closed' : inspect([...this])} }`;
  }

  /** @internal */
  [kReduce](): SharedMemoryDescriptor {
    return { ...this.shm[kReduce](), type: 'ShareableList' };
  }

  get #formats(): number {
    return this.#offsets[this.#length] as number;
  }

  #item(index: unknown): { start: number; end: number; format: string; code: number } {
    checkInteger(index, 'index', 0, this.#length - 1);
    const { buf } = this.shm;
    const at = this.#formats + 8 * index;
    const format = stripped(buf.subarray(at, at + 8)).toString('latin1');
    const [start, end] = this.#offsets.slice(index) as [number, number];
    return { start, end, format, code: buf.readInt8(this.#formats + 8 * this.#length + index) };
  }
}

function isSame(item: ListItem, value: ListItem): boolean {
  return types.isUint8Array(item) && types.isUint8Array(value) ? Buffer.compare(item, value) === 0 : item === value;
}

/** From 3.9 on: where each item begins, and where the last one ends. */
function newOffsets(length: number, words: (index: number) => number): number[] {
  const begin = 8 * (length + 2);
  return Array.from({ length: length + 1 }, (_, i) => begin + words(1 + i));
}

/** 3.8: how long each item is. */
function oldOffsets(length: number, words: (index: number) => number): number[] {
  const offsets = [8 * (length + 1)];
  for (let i = 0; i < length; i++) offsets.push((offsets[i] as number) + words(1 + i));
  return offsets;
}

/** Makes a list, in the format of CPython 3.9 and later. */
function make(items: readonly unknown[], name: string | undefined): SharedMemory {
  const packed = items.map((item, i) => pack(item, `items[${i}]`));
  const lengths = packed.map(({ format }) => (format.endsWith('s') ? parseInt(format, 10) : 8));
  const begin = 8 * (packed.length + 2);
  const end = lengths.reduce((sum, length) => sum + length, begin);
  const shm = new SharedMemory({ name, create: true, size: end + 9 * packed.length });
  try {
    const { buf } = shm;
    buf.writeBigInt64LE(BigInt(packed.length));
    let at = begin;
    packed.forEach(({ format, bytes, code }, i) => {
      buf.writeBigInt64LE(BigInt(at - begin), 8 + 8 * i);
      bytes.copy(buf, at);
      buf.write(format, end + 8 * i, 'latin1');
      buf.writeInt8(code, end + 8 * packed.length + i);
      at += lengths[i] as number;
    });
    buf.writeBigInt64LE(BigInt(end - begin), 8 + 8 * packed.length);
    return shm;
  } catch (error) {
    shm.close();
    shm.unlink();
    throw error;
  }
}
