// SPDX-License-Identifier: MIT
//
// Reads values in V8's format. Rare kinds of values, and everything that looks wrong, are left to the deserialiser of
// Node, which then reads the whole message: reading has no effects that could occur twice.
import * as tags from '../tags.js';
import { copyTo, makeArray } from './arrays.js';
import { emptyShape, MOST_BYTES_OF_KEY, setField, type Shape } from './shapes.js';
import { Texts } from './texts.js';
import { readWithV8, type FindStandIn } from './v8-reader.js';

/** Thrown for what is left to Node. */
const LEFT = new Error('left to node:v8');

/** Thrown for an object that refers to itself while it is not made yet. */
const CYCLE = new Error('an object refers to itself');

/** In the place of an object that is not made yet. */
const UNFINISHED = Symbol('unfinished');

/** An object with so many keys that are not known is a dictionary. */
const MANY_KEYS = 24;

/** Room for so many items is made before they have been read. */
const MOST_AT_ONCE = 4096;

/** A longer array is left to V8, which refuses it. */
const MOST_ITEMS = 0x7000000;

/** An array with more holes at its end gets no memory for them. */
const MOST_HOLES = 1024;

/** An array of this length is one of single items, without memory for holes. */
const LENGTH_WITHOUT_MEMORY = 0xffffffff;

/** The list of the objects of a message is used again, up to this length. */
const MOST_KEPT = 256;

const none = Buffer.alloc(0);

const double = new Float64Array(1);
const big = new BigUint64Array(double.buffer);
const doubleBytes = new Uint8Array(double.buffer);

/** For the short lists of most messages this is faster than `fill`. */
function clear(list: unknown[], count: number): void {
  for (let i = 0; i < count; i++) list[i] = undefined;
}

class Decoder {
  #memory: Buffer = none;
  #at = 0;
  #end = 0;
  #keep = false;
  readonly #texts = new Texts();
  #find: FindStandIn | undefined;
  /** Whether objects are made before their fields are read. */
  #early = false;
  /** The objects by their numbers, and how many there are. */
  #objects: unknown[] = [];
  #count = 0;
  /** The fields of the objects that are being read. */
  readonly #fields: unknown[] = [];
  #top = 0;
  #highest = 0;

  decode(memory: Buffer, length: number, keep: boolean, find: FindStandIn | undefined, early: boolean): unknown {
    this.#memory = memory;
    this.#at = 2;
    this.#end = length;
    this.#texts.begin(memory, length);
    this.#keep = keep;
    this.#find = find;
    this.#early = early;
    try {
      if (memory[0] !== tags.HEADER || memory[1] !== tags.VERSION) throw LEFT;
      const value = this.#value();
      if (this.#at > length) throw LEFT;
      return value;
    } finally {
      this.#memory = none;
      this.#texts.begin(none, 0);
      this.#find = undefined;
      if (this.#count > MOST_KEPT) this.#objects = [];
      else clear(this.#objects, this.#count);
      clear(this.#fields, Math.max(this.#top, this.#highest));
      this.#count = this.#top = this.#highest = 0;
    }
  }

  #value(): unknown {
    const memory = this.#memory;
    if (this.#at >= this.#end) throw LEFT;
    switch (memory[this.#at++]) {
      case tags.LATIN1: {
        const size = this.#size();
        const from = this.#at;
        this.#at = from + size;
        return this.#texts.latin1(from, size);
      }
      case tags.INTEGER: {
        const bits = this.#length();
        return (bits >>> 1) ^ -(bits & 1);
      }
      case tags.OBJECT:
        return this.#object();
      case tags.DENSE:
        return this.#dense();
      case tags.TRUE:
        return true;
      case tags.FALSE:
        return false;
      case tags.NULL:
        return null;
      case tags.UNDEFINED:
        return undefined;
      case tags.DOUBLE:
        return this.#double();
      case tags.UTF16: {
        const size = this.#size();
        if (size % 2 !== 0) throw LEFT;
        const from = this.#at;
        this.#at = from + size;
        return memory.toString('utf16le', from, from + size);
      }
      case tags.REFERENCE:
        return this.#reference();
      case tags.HOST_OBJECT:
        return this.#add(this.#hostObject());
      case tags.DATE:
        return this.#add(new Date(this.#double()));
      case tags.MAP:
        return this.#map();
      case tags.SET:
        return this.#set();
      case tags.SPARSE:
        return this.#sparse();
      case tags.BIGINT:
        return this.#bigint();
      case tags.ARRAY_BUFFER: {
        const size = this.#size();
        const bytes = copyTo(Buffer.allocUnsafeSlow(size), memory, this.#at);
        this.#at += size;
        return this.#add(bytes.buffer);
      }
      case tags.PADDING:
        return this.#value();
      default:
        throw LEFT;
    }
  }

  /** Gives a number to an object that is complete, or that is made before its parts. */
  #add<T>(object: T): T {
    this.#objects[this.#count++] = object;
    return object;
  }

  #length(): number {
    const memory = this.#memory;
    let byte = memory[this.#at++] as number;
    if (byte < 0x80) return byte;
    let length = byte & 0x7f;
    for (let shift = 7; shift < 35; shift += 7) {
      byte = memory[this.#at++] as number;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) return length >>> 0;
    }
    throw LEFT;
  }

  /** The length of something that is there as a whole. */
  #size(): number {
    const size = this.#length();
    if (size > this.#end - this.#at) throw LEFT;
    return size;
  }

  #double(): number {
    if (this.#end - this.#at < 8) throw LEFT;
    const memory = this.#memory;
    const at = this.#at;
    for (let i = 0; i < 8; i++) doubleBytes[i] = memory[at + i] as number;
    this.#at = at + 8;
    return double[0] as number;
  }

  #bigint(): bigint {
    const bits = this.#length();
    const size = bits >>> 1;
    if (size % 8 !== 0 || size > this.#end - this.#at) throw LEFT;
    let value = 0n;
    if (size === 8) {
      this.#double();
      value = big[0] as bigint;
    } else if (size > 0) {
      const bytes = Buffer.from(this.#memory.subarray(this.#at, this.#at + size)).reverse();
      this.#at += size;
      value = BigInt(`0x${bytes.toString('hex')}`);
    }
    return (bits & 1) === 0 ? value : -value;
  }

  #reference(): unknown {
    const number = this.#length();
    if (number >= this.#count) throw LEFT;
    const object = this.#objects[number];
    if (object === UNFINISHED) throw CYCLE;
    return object;
  }

  #object(): object {
    const number = this.#count;
    this.#add(UNFINISHED);
    const memory = this.#memory;
    const first = this.#top;
    let shape = emptyShape();
    while (memory[this.#at] !== tags.END_OBJECT) {
      const next = this.#early ? undefined : this.#knownKey(shape);
      if (next === undefined) return this.#unknownObject(shape, first, number);
      shape = next;
      const field = this.#value();
      this.#fields[this.#top++] = field;
    }
    this.#at++;
    if (this.#length() !== this.#top - first) throw LEFT;
    return this.#make(shape, first, number);
  }

  /** Makes an object of the fields that were read last. */
  #make(shape: Shape, first: number, number: number): object {
    const object = shape.make(this.#fields, first);
    this.#objects[number] = object;
    if (this.#top > this.#highest) this.#highest = this.#top;
    this.#top = first;
    return object;
  }

  /** Continues an object with keys that are not known. */
  #unknownObject(shape: Shape, first: number, number: number): object {
    const count = this.#top - first;
    const object = this.#make(shape, first, number);
    const more = this.#properties(object, tags.END_OBJECT);
    if (this.#length() !== count + more) throw LEFT;
    return object;
  }

  /** The shape with the key that comes next; undefined if that is not known. */
  #knownKey(shape: Shape): Shape | undefined {
    const memory = this.#memory;
    const at = this.#at;
    const { expected } = shape;
    if (expected !== undefined) {
      const { bytes } = expected;
      const { length } = bytes;
      let i = 0;
      while (i < length && memory[at + i] === bytes[i]) i++;
      if (i === length) {
        this.#at = at + length;
        return expected;
      }
    }
    if (memory[at] !== tags.LATIN1) return undefined;
    const size = memory[at + 1] as number;
    const end = at + 2 + size;
    if (size > MOST_BYTES_OF_KEY || end > this.#end) return undefined;
    const found = shape.find(this.#texts.cut(at + 2, size), memory, at);
    if (found !== undefined) this.#at = end;
    return found;
  }

  /** Reads keys and values up to a tag, and returns how many keys there were. */
  #properties(object: object, end: number): number {
    const memory = this.#memory;
    let count = 0;
    let simple = true;
    for (; memory[this.#at] !== end; count++) {
      const key = this.#key();
      // V8 refuses a key that comes twice.
      if (Object.hasOwn(object, key)) throw LEFT;
      const value = this.#value();
      setField(object, key, value);
      if (typeof value === 'object') simple = false;
      // V8 is faster with dictionaries of numbers and strings, if not much has been done that it would do again.
      if (count === MANY_KEYS && simple && this.#at < this.#end / 2) throw LEFT;
    }
    this.#at++;
    return count;
  }

  #key(): string | number {
    const memory = this.#memory;
    if (memory[this.#at] === tags.LATIN1) {
      this.#at++;
      const size = this.#size();
      const from = this.#at;
      this.#at = from + size;
      return this.#texts.cut(from, size);
    }
    const key = this.#value();
    if (typeof key !== 'string' && typeof key !== 'number') throw LEFT;
    return key;
  }

  #dense(): unknown[] {
    const memory = this.#memory;
    const length = this.#size();
    if (length > MOST_ITEMS) throw LEFT;
    const array = this.#add(new Array<unknown>(length <= MOST_AT_ONCE ? length : 0));
    for (let i = 0; i < length; i++) {
      if (memory[this.#at] === tags.HOLE) this.#at++;
      else array[i] = this.#value();
    }
    if (array.length < length) array.length = length;
    const count = this.#properties(array, tags.END_DENSE);
    if (this.#length() !== count || this.#length() !== length) throw LEFT;
    return array;
  }

  #sparse(): unknown[] {
    const length = this.#length();
    const array = this.#add<unknown[]>([]);
    const count = this.#properties(array, tags.END_SPARSE);
    if (this.#length() !== count || this.#length() !== length || array.length > length) throw LEFT;
    // A few bytes can announce four thousand million holes.
    if (length - array.length > MOST_HOLES) array.length = LENGTH_WITHOUT_MEMORY;
    array.length = length;
    return array;
  }

  #map(): Map<unknown, unknown> {
    const memory = this.#memory;
    const map = this.#add(new Map<unknown, unknown>());
    let count = 0;
    for (; memory[this.#at] !== tags.END_MAP; count += 2) {
      const key = this.#value();
      map.set(key, this.#value());
    }
    this.#at++;
    if (this.#length() !== count) throw LEFT;
    return map;
  }

  #set(): Set<unknown> {
    const memory = this.#memory;
    const set = this.#add(new Set<unknown>());
    let count = 0;
    for (; memory[this.#at] !== tags.END_SET; count++) set.add(this.#value());
    this.#at++;
    if (this.#length() !== count) throw LEFT;
    return set;
  }

  #hostObject(): unknown {
    const type = this.#length();
    if (type === tags.STAND_IN && this.#find !== undefined) return this.#find(this.#length());
    const size = this.#size();
    const array = makeArray(type, this.#memory, this.#at, size, this.#keep);
    if (array === undefined) throw LEFT;
    this.#at += size;
    return array;
  }
}

const decoder = new Decoder();

/** Whether an error says that the stack is too short for a value. */
function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes('call stack');
}

/**
 * The value of a message.
 *
 * @param keep Whether the value may refer to the memory. Otherwise the memory is used again.
 * @param find Finds the objects of this package in the value.
 */
export function decodeValue(memory: Buffer, length: number, keep: boolean, find?: FindStandIn): unknown {
  for (const early of [false, true]) {
    try {
      return decoder.decode(memory, length, keep, find, early);
    } catch (error) {
      if (error === CYCLE) continue;
      if (error !== LEFT && !isStackOverflow(error)) throw error;
      break;
    }
  }
  return readWithV8(memory.subarray(0, length), keep, find);
}
