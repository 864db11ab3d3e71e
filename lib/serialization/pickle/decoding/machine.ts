// SPDX-License-Identifier: MIT
import { isDict, setOwn } from '../dicts.js';
import { PythonObject } from '../nodes.js';
import { PickleReader } from './reader.js';
import { PythonFloat } from '../wrappers.js';

/** The stack and the memo of a pickle, and the containers on them. */
export abstract class PickleMachine extends PickleReader {
  readonly #stack: unknown[] = [];
  #height = 0;
  /** The heights at which marks were set, and the last of them. Nothing below the last one is popped. */
  readonly #marks: number[] = [];
  #floor = 0;

  /** The protocol that the pickle says it has. Before protocol 2 it says nothing. */
  protocol = 0;

  readonly #memo: unknown[] = [];
  /** The memo of numbers that do not follow one another. */
  #sparse: Map<number, unknown> | undefined;

  /** By height: the memo number of the value there, and the position in the pickle at which the dict there was made. */
  readonly #memoAt: number[] = [];
  readonly #dictAt: number[] = [];
  /** Values to which there may be other references than those of the stack and the memo. */
  #shared: Set<unknown> | undefined;
  /**
   * The positions of dicts that must be Maps. Known after a survey, for which a dict that contains itself is the
   * reason.
   */
  #mapsAt: ReadonlySet<number> | undefined;
  /** The Arrays, Sets and Buffers that are tuples, frozensets and bytearrays in the pickle. */
  protected readonly originals: object[] = [];
  /** The first ones of them, once one had to be looked for. */
  #originalSet: Set<object> | undefined;
  #originalsSeen = 0;
  /** How many places of the stack were searched for such dicts. */
  #searched = 0;
  /** All dicts with their positions, if this machine runs for a survey. */
  readonly #survey: Map<Map<unknown, unknown>, number> | undefined;

  /** Whether dicts are Maps and whole floats are `PythonFloat`s, so that all can be written again as it was. */
  protected readonly exact: boolean;

  constructor(bytes: Buffer, keep: boolean, survey: boolean, exact = false) {
    super(bytes, keep);
    this.exact = exact;
    if (survey) this.#survey = new Map();
  }

  /** Whether this machine runs for a survey. */
  protected get surveying(): boolean {
    return this.#survey !== undefined;
  }

  /** Reads the whole pickle to find the positions of dicts that get a key which is not a string. */
  protected abstract survey(): ReadonlySet<number>;

  /** Pushes a class or function. */
  abstract global(module: unknown, name: unknown): void;

  /** Calls a function or class, or makes an object of a class by its `__new__`, and pushes the result. */
  abstract make(type: unknown, args: unknown, isNew: boolean, keywords?: unknown): void;

  // The stack.

  push(value: unknown): void {
    this.#stack[this.#height++] = value;
  }

  /** Records that an Array, a Set or a Buffer is a tuple, a frozenset or a bytearray. Returns it. */
  original<T extends object>(value: T): T {
    this.originals.push(value);
    return value;
  }

  /** Whether an Array is a tuple in the pickle. */
  isTuple(value: unknown): boolean {
    const { originals } = this;
    if (!Array.isArray(value)) return false;
    // Mostly it was made just now.
    if (originals[originals.length - 1] === value) return true;
    const seen = (this.#originalSet ??= new Set());
    while (this.#originalsSeen < originals.length) seen.add(originals[this.#originalsSeen++] as object);
    return seen.has(value);
  }

  /** Checks that there are so many values above the last mark. Returns the height of the stack. */
  need(count: number): number {
    if (this.#height - count < this.#floor)
      throw this.error('The pickle takes more from its stack than the stack holds');
    return this.#height;
  }

  pop(): unknown {
    this.#height = this.need(1) - 1;
    return this.#stack[this.#height];
  }

  peek(): unknown {
    return this.#stack[this.need(1) - 1];
  }

  /** Drops the value at the top. */
  discard(): void {
    this.pop();
  }

  /** Whether a value is at the top. */
  protected isTop(value: unknown): boolean {
    return this.#height > this.#floor && this.#stack[this.#height - 1] === value;
  }

  /** Replaces the value at the top, also in the memo. There must be no other reference to it. */
  protected exchange(value: unknown): void {
    this.#exchangeAt(this.need(1) - 1, value);
  }

  #exchangeAt(height: number, value: unknown): void {
    const old = this.#stack[height];
    if (this.#shared?.has(old) === true)
      throw this.error('The pickle changes what kind of object something is after it has used it');
    this.#stack[height] = value;
    const index = this.#memoAt[height] as number;
    if (this.#memo[index] === old) this.#memo[index] = value;
    else if (this.#sparse?.get(index) === old) this.#sparse?.set(index, value);
  }

  mark(): void {
    this.#marks.push((this.#floor = this.#height));
  }

  /** Whether a mark is at the top of the stack. */
  get atMark(): boolean {
    return this.#marks.length > 0 && this.#floor === this.#height;
  }

  /** Removes the last mark. Returns its height. */
  unmark(): number {
    const height = this.#marks.pop();
    if (height === undefined) throw this.error('The pickle takes a mark from its stack, which holds none');
    this.#floor = this.#marks[this.#marks.length - 1] ?? 0;
    return height;
  }

  /** Pops all values from this height on. */
  popFrom(from: number): unknown[] {
    const items = this.#stack.slice(from, this.#height);
    this.#height = from;
    return items;
  }

  // The memo.

  put(index: number): void {
    const value = this.peek();
    const memo = this.#memo;
    if (index === memo.length) memo.push(value);
    else if (index < memo.length) memo[index] = value;
    else (this.#sparse ??= new Map()).set(index, value);
    const height = this.#height - 1;
    // A value with two memo numbers could not be exchanged.
    const before = this.#memoAt[height];
    if (before !== undefined && before !== index && this.#recall(before) === value) this.#share(value);
    this.#memoAt[height] = index;
  }

  /** Puts the value at the top under the next free memo number. */
  memoize(): void {
    const index = this.#memo.length;
    this.put(this.#sparse === undefined ? index : index + this.#sparse.size);
  }

  get(index: number): void {
    let value = this.#recall(index);
    if (value === undefined) throw this.error(`The pickle has nothing under memo number ${index}`);
    if (typeof value === 'object') {
      // The survey may have made a Map of this dict.
      if (this.#lookForMaps(value)) value = this.#recall(index);
      this.#share(value);
    }
    this.push(value);
  }

  #recall(index: number): unknown {
    return index < this.#memo.length ? this.#memo[index] : this.#sparse?.get(index);
  }

  /** Pushes the value at the top once more. */
  duplicate(): void {
    if (this.#lookForMaps(this.peek())) this.duplicate();
    else {
      this.#share(this.peek());
      this.push(this.peek());
    }
  }

  #share(value: unknown): void {
    this.#dictAt[this.#height] = -1;
    if (typeof value !== 'object' || Array.isArray(value)) return;
    (this.#shared ??= new Set()).add(value);
  }

  // Containers.

  /** Pushes a new dict, which the current opcode makes. */
  pushDict(): void {
    this.#dictAt[this.#height] = this.at;
    if (this.#survey !== undefined) {
      const map = new Map();
      this.#survey.set(map, this.at);
      this.push(map);
    } else {
      this.push(this.exact || this.#mapsAt?.has(this.at) === true ? new Map() : {});
    }
  }

  pushFloat(value: number): void {
    this.push(this.exact && Number.isInteger(value) ? new PythonFloat(value) : value);
  }

  /** Pushes what a reducer made. */
  protected pushMade(value: unknown): void {
    this.#dictAt[this.#height] = -1;
    this.push(value);
  }

  /** The positions of dicts that have a key which is not a string. */
  protected surveyed(): Set<number> {
    const found = new Set<number>();
    for (const [map, at] of this.#survey ?? []) {
      for (const key of map.keys()) {
        if (typeof key === 'string') continue;
        found.add(at);
        break;
      }
    }
    return found;
  }

  /**
   * A dict that contains itself is referred to before all of its keys are known. After that, no Map can take its place.
   * So before the first such reference, a survey reads the whole pickle, once. Returns whether this call made it.
   */
  #lookForMaps(value: unknown): boolean {
    if (this.#mapsAt !== undefined || this.surveying || !isDict(value) || !this.#isOpen(value)) return false;
    this.#mapsAt = this.survey();
    for (let height = 0; height < this.#height; height++) {
      const dict = this.#stack[height];
      if (isDict(dict) && this.#mapsAt.has(this.#dictAt[height] as number)) this.#makeMap(dict, height);
    }
    return true;
  }

  /** Whether the pickle can still put entries into a dict, which then is on the stack. */
  #isOpen(dict: unknown): boolean {
    // Searching a high stack again and again would take more time than a survey.
    this.#searched += this.#height;
    if (this.#searched > 2 * this.bytes.length) return true;
    for (let height = this.#height - 1; height >= 0; height--) {
      if (this.#stack[height] === dict) return true;
    }
    return false;
  }

  #makeMap(dict: Record<string, unknown>, height: number): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>(Object.entries(dict));
    this.#exchangeAt(height, map);
    return map;
  }

  /** Appends all values from this height on to the list below it. */
  append(from: number): void {
    const end = this.#height;
    const target = this.#target(from);
    const items = Array.isArray(target)
      ? (target as unknown[])
      : target instanceof PythonObject
        ? target.items
        : undefined;
    if (items === undefined) throw this.error('The pickle appends to an object that is not a list');
    for (let i = from; i < end; i++) items.push(this.#stack[i]);
  }

  /** Puts all values from this height on, which are keys and values in turn, into the dict below it. */
  setItems(from: number): void {
    const stack = this.#stack;
    const end = this.#height;
    let target = this.#target(from);
    if ((end - from) % 2 !== 0) throw this.error('The pickle has a key without a value');
    let i = from;
    if (isDict(target)) {
      for (; i < end; i += 2) {
        const key = stack[i];
        if (typeof key !== 'string') {
          target = this.#makeMap(target, from - 1);
          break;
        }
        setOwn(target, key, stack[i + 1]);
      }
    }
    if (target instanceof Map) {
      for (; i < end; i += 2) {
        this.#refuseSecondNaN(target, stack[i]);
        target.set(stack[i], stack[i + 1]);
      }
    } else if (target instanceof PythonObject) {
      for (; i < end; i += 2) target.entries.push([stack[i], stack[i + 1]]);
    } else if (i < end) {
      throw this.error('The pickle puts a key into an object that is not a dict');
    }
  }

  /** In Python, a NaN differs from each other one. Here all are one, so that a dict or a set would lose some. */
  #refuseSecondNaN(target: { has(key: unknown): boolean }, key: unknown): void {
    if (Number.isNaN(key) && target.has(key)) throw this.error('The pickle has several NaN as keys or in a set');
  }

  /** Adds all values from this height on to the set below it. */
  addItems(from: number): void {
    const end = this.#height;
    const target = this.#target(from);
    if (!(target instanceof Set)) throw this.error('The pickle adds to an object that is not a set');
    for (let i = from; i < end; i++) {
      this.#refuseSecondNaN(target, this.#stack[i]);
      target.add(this.#stack[i]);
    }
  }

  /** The container below this height, which is what remains on the stack. */
  #target(from: number): unknown {
    if (from - 1 < this.#floor) throw this.error('The pickle has no container for its items');
    this.#height = from;
    return this.#stack[from - 1];
  }
}
