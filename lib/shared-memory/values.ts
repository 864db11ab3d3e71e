// SPDX-License-Identifier: MIT
//
// Values and arrays in memory that processes share: CPython's multiprocessing.sharedctypes.
import { inspect } from 'node:util';

import type { WaitOptions } from '../core/deadline.js';
import { argumentError } from '../core/errors.js';
import { checkInteger, checkOptionNames, optionNames } from '../core/validate.js';
import type { Exporter } from '../reduction/exporters.js';
import { kReduce, type ReducePart } from '../reduction/registry.js';
import { shareableMark } from '../reduction/shareable.js';
import { OwnableLock, RLock } from '../synchronize/locks.js';
import type { SemLockDescriptor } from '../synchronize/sem-lock.js';
import { Piece, type PieceAddress } from './heap.js';
import { typeOf, type Elements, type ElementOf, type ElementType, type Typecode, type ViewOf } from './typecodes.js';

/** Options of a `Value` and an `Array`. */
export interface LockOptions {
  /** The lock, which other objects may have too. The caller closes it. Default: a new RLock. */
  lock?: OwnableLock | undefined;
}

/** The result of `describe` for a RawValue, a RawArray, a Value or an Array. It is plain JSON. */
export interface SharedValueDescriptor {
  /** The class. */
  readonly type: 'RawValue' | 'RawArray' | 'Value' | 'Array';
  /** The type of its elements. */
  readonly typecode: Typecode;
  /** The address of its memory. */
  readonly memory: PieceAddress;
  /** How many elements an array has. */
  readonly length?: number | undefined;
  /** The lock of a Value or an Array. */
  readonly lock?: SemLockDescriptor;
}

const lockNames = optionNames<LockOptions>({ lock: true });

/** What values and arrays have in common: elements of one type, and perhaps a lock. */
export abstract class SharedCType<T extends Typecode = Typecode> {
  /** The type of the elements. */
  readonly typecode: T;
  /** @internal */
  protected readonly type: ElementType;
  /** @internal */
  protected readonly piece: Piece;
  readonly #typeName: SharedValueDescriptor['type'];
  readonly #elements: Elements;

  /** @internal @param memory A piece that exists, or how many elements a new one has. */
  protected constructor(typeName: SharedValueDescriptor['type'], typecode: T, memory: number | Piece) {
    this.type = typeOf(typecode);
    this.typecode = typecode;
    this.#typeName = typeName;
    this.piece = typeof memory === 'number' ? Piece.make(memory * this.type.bytes) : memory;
    this.#elements = this.type.view(this.piece.bytes);
    Object.defineProperty(this, 'shareable', shareableMark(typeName));
  }

  /** @internal Sets the first elements. If one is refused, the memory is given back. */
  protected begin(set: () => void): void {
    try {
      set();
    } catch (error) {
      this.piece.close();
      throw error;
    }
  }

  /** @internal */
  protected get elements(): Elements {
    this.piece.checkOpen();
    return this.#elements;
  }

  /** Whether this object was closed. */
  get closed(): boolean {
    return this.piece.closed;
  }

  /** Closes this object; other processes keep theirs. Doing so again changes nothing. */
  close(): void {
    this.piece.close();
  }

  /** `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** What console.log shows. */
  [inspect.custom](): string {
    return `${this.#typeName} { ${this.closed ? 'closed' : inspect(this.content)} }`;
  }

  /** @internal */
  [kReduce](exporter: Exporter, reducePart: ReducePart): SharedValueDescriptor {
    const lock = this.sharedLock;
    const memory = this.piece.address(exporter);
    const reduced = { type: this.#typeName, typecode: this.typecode, memory, length: this.sharedLength };
    return lock === undefined ? reduced : { ...reduced, lock: reducePart(lock) as SemLockDescriptor };
  }

  /** @internal */
  protected abstract get content(): unknown;

  /** @internal The number of elements of an array. */
  protected get sharedLength(): number | undefined {
    return undefined;
  }

  /** @internal */
  protected get sharedLock(): OwnableLock | undefined {
    return undefined;
  }
}

/**
 * One value in shared memory, without a lock. CPython: `multiprocessing.RawValue`.
 *
 * `value` is read and written whole: no process sees a half of it.
 */
export class RawValue<T extends Typecode = Typecode> extends SharedCType<T> {
  /**
   * @param typecode As in CPython: `'i'` for a C int, `'d'` for a double.
   * @param value Its first value. Default: 0.
   */
  constructor(typecode: T, value?: ElementOf<T>);
  /** @internal Of memory that exists. */
  constructor(typecode: T, memory: Piece | ElementOf<T> | undefined, typeName: 'RawValue' | 'Value');
  constructor(typecode: T, value?: Piece | ElementOf<T>, typeName: 'RawValue' | 'Value' = 'RawValue') {
    super(typeName, typecode, value instanceof Piece ? value : 1);
    if (value === undefined || value instanceof Piece) return;
    this.begin(() => {
      this.value = value;
    });
  }

  /** The value at this moment. CPython: `value`. */
  get value(): ElementOf<T> {
    return this.type.get(this.elements, 0) as ElementOf<T>;
  }

  /** Writes the value. Throws a `TypeError` or `RangeError` for one that the type cannot hold. */
  set value(value: ElementOf<T>) {
    this.type.set(this.elements, 0, value, 'value');
  }

  /** @internal The same value with a lock. */
  locked(lock: OwnableLock): Value<T> {
    return new Value(this.typecode, this.piece.dup(), { lock });
  }

  /** @internal */
  protected override get content(): unknown {
    return this.value;
  }
}

/**
 * One value in shared memory, with a lock. CPython: `multiprocessing.Value`.
 *
 * Reading or writing `value` does not take the lock, and needs none. What reads and then writes does:
 * `await counter.withLock(() => counter.value++)`.
 */
export class Value<T extends Typecode = Typecode> extends RawValue<T> {
  readonly #lock: Locking;

  /**
   * @param typecode As in CPython: `'i'` for a C int, `'d'` for a double.
   * @param value Its first value. Default: 0.
   */
  constructor(typecode: T, value?: ElementOf<T>, options?: LockOptions);
  /** @internal Of memory that exists. */
  constructor(typecode: T, memory: Piece, options: LockOptions);
  constructor(typecode: T, value?: ElementOf<T> | Piece, options: LockOptions = {}) {
    const lock = new Locking(options);
    try {
      super(typecode, value, 'Value');
    } catch (error) {
      lock.close();
      throw error;
    }
    this.#lock = lock;
  }

  /** Its lock. CPython: `get_lock()`. */
  getLock(): OwnableLock {
    return this.#lock.lock;
  }

  /** The same value without the lock. CPython: `get_obj()`. */
  getObj(): RawValue<T> {
    return new RawValue(this.typecode, this.piece.dup(), 'RawValue');
  }

  /** Runs `fn` with the lock held. CPython: `with value.get_lock():`. */
  withLock<R>(fn: () => R | PromiseLike<R>, options?: WaitOptions): Promise<R> {
    return this.#lock.lock.withLock(fn, options);
  }

  /** Closes this object, and its lock unless that was given; doing so again changes nothing. */
  override close(): void {
    super.close();
    this.#lock.close();
  }

  /** @internal */
  protected override get sharedLock(): OwnableLock {
    return this.#lock.lock;
  }
}

/** The lock of an object: one that it has made and closes, or one that it was given. */
class Locking {
  readonly lock: OwnableLock;
  readonly #own: boolean;

  constructor(options: LockOptions) {
    checkOptionNames(options, lockNames);
    const { lock } = options;
    if (lock !== undefined && !(lock instanceof OwnableLock)) {
      throw argumentError('type', 'lock must be a Lock or an RLock; for none there are RawValue and RawArray');
    }
    this.#own = lock === undefined;
    this.lock = lock ?? new RLock();
  }

  close(): void {
    if (this.#own) this.lock.close();
  }
}

/** The elements that an array begins with: an iterable, or for a Buffer its bytes. */
function firstElements(source: unknown): number | unknown[] {
  if (typeof source === 'number') {
    checkInteger(source, 'length', 0, MOST_ELEMENTS);
    return source;
  }
  if (typeof source === 'object' && source !== null && Symbol.iterator in source)
    return [...(source as Iterable<unknown>)];
  throw argumentError('type', 'the second argument must be a length or an iterable of elements');
}

const MOST_ELEMENTS = 2 ** 48;

/**
 * An array in shared memory, without a lock. CPython: `multiprocessing.RawArray`.
 *
 * Each element is read and written whole.
 */
export class RawArray<T extends Typecode = Typecode> extends SharedCType<T> {
  /**
   * @param typecode As in CPython: `'i'` for a C int, `'d'` for a double.
   * @param source How many elements it has, which are 0 at first, or the elements.
   */
  constructor(typecode: T, source: number | Iterable<ElementOf<T>>);
  /** @internal Of memory that exists. */
  constructor(typecode: T, source: Piece | number | Iterable<ElementOf<T>>, typeName: 'RawArray' | 'Array');
  constructor(
    typecode: T,
    source: Piece | number | Iterable<ElementOf<T>>,
    typeName: 'RawArray' | 'Array' = 'RawArray',
  ) {
    if (source instanceof Piece) {
      super(typeName, typecode, source);
      return;
    }
    const elements = firstElements(source);
    super(typeName, typecode, typeof elements === 'number' ? elements : elements.length);
    if (typeof elements === 'number') return;
    this.begin(() => {
      this.assign(elements as ElementOf<T>[]);
    });
  }

  /** How many elements it has. CPython: `len()`. */
  get length(): number {
    return this.elements.length;
  }

  /** An element. Throws a RangeError for an index that it does not have. CPython: `array[index]`. */
  get(index: number): ElementOf<T> {
    const { elements } = this;
    checkInteger(index, 'index', 0, elements.length - 1);
    return this.type.get(elements, index) as ElementOf<T>;
  }

  /** Sets an element. CPython: `array[index] = value`. */
  set(index: number, value: ElementOf<T>): void {
    const { elements } = this;
    checkInteger(index, 'index', 0, elements.length - 1);
    this.type.set(elements, index, value, 'value');
  }

  /** Sets the elements from `start` on. CPython: `array[start:end] = values`. */
  assign(values: Iterable<ElementOf<T>>, start = 0): void {
    const { elements } = this;
    const list = [...values];
    checkInteger(start, 'start', 0, elements.length);
    if (list.length > elements.length - start) {
      throw argumentError('range', `values must be at most ${elements.length - start} elements, not ${list.length}`);
    }
    list.forEach((value, i) => {
      // A Buffer is iterated by numbers.
      const element = this.typecode === 'c' && typeof value === 'number' ? Buffer.from([value]) : value;
      this.type.set(elements, start + i, element, `values[${i}]`);
    });
  }

  /** The elements at this moment. CPython: `array[start:end]`. */
  slice(start?: number, end?: number): ElementOf<T>[] {
    return Array.from({ length: this.length }, (_, i) => this.get(i)).slice(start, end);
  }

  /** The elements, each as it is when it is asked for. */
  *[Symbol.iterator](): IterableIterator<ElementOf<T>> {
    for (let i = 0; i < this.length; i++) yield this.get(i);
  }

  /** The memory itself: what another process writes is there at once. It stays usable after `close()`. */
  view(): ViewOf<T> {
    return this.elements as unknown as ViewOf<T>;
  }

  /** @internal The same array with a lock. */
  locked(lock: OwnableLock): SharedArray<T> {
    return new SharedArray(this.typecode, this.piece.dup(), { lock });
  }

  /** @internal */
  protected override get content(): unknown {
    return this.elements;
  }

  /** @internal */
  protected override get sharedLength(): number {
    return this.length;
  }
}

/**
 * An array in shared memory, with a lock. CPython: `multiprocessing.Array`.
 *
 * Reading or writing an element does not take the lock. What must not be interrupted does, by `withLock`.
 */
export class SharedArray<T extends Typecode = Typecode> extends RawArray<T> {
  /** @internal Its name where it is exported. */
  static override readonly name = 'Array';
  readonly #lock: Locking;

  /**
   * @param typecode As in CPython: `'i'` for a C int, `'d'` for a double.
   * @param source How many elements it has, which are 0 at first, or the elements.
   */
  constructor(typecode: T, source: number | Iterable<ElementOf<T>>, options?: LockOptions);
  /** @internal Of memory that exists. */
  constructor(typecode: T, source: Piece, options: LockOptions);
  constructor(typecode: T, source: number | Iterable<ElementOf<T>> | Piece, options: LockOptions = {}) {
    const lock = new Locking(options);
    try {
      super(typecode, source, 'Array');
    } catch (error) {
      lock.close();
      throw error;
    }
    this.#lock = lock;
  }

  /** Its lock. CPython: `get_lock()`. */
  getLock(): OwnableLock {
    return this.#lock.lock;
  }

  /** The same array without the lock. CPython: `get_obj()`. */
  getObj(): RawArray<T> {
    return new RawArray(this.typecode, this.piece.dup(), 'RawArray');
  }

  /** Runs `fn` with the lock held. CPython: `with array.get_lock():`. */
  withLock<R>(fn: () => R | PromiseLike<R>, options?: WaitOptions): Promise<R> {
    return this.#lock.lock.withLock(fn, options);
  }

  /** Closes this object, and its lock unless that was given; doing so again changes nothing. */
  override close(): void {
    super.close();
    this.#lock.close();
  }

  /** @internal */
  protected override get sharedLock(): OwnableLock {
    return this.#lock.lock;
  }
}
