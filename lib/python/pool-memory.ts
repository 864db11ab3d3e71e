// SPDX-License-Identifier: MIT
//
// Large arrays on their ways between a pool and one Python worker. Their elements are in a file without a name, which both
// have open, and a pickle says where. Each side copies, so an array is its receiver's alone, as if it had been in the pickle.
// The file ends with the last process that has it, and takes no space of /dev/shm. pool_messages.py is the other side.
import { types } from 'node:util';

import type { ConnectionDescriptor } from '../connection/channel-reduction.js';
import { whenIdle } from '../core/idle.js';
import { allocateWhole } from '../core/message-memory.js';
import { native } from '../native/addon.js';
import type { MessageContext, ArrayCarrier } from '../reduction/attachments.js';
import type { Exporter } from '../reduction/exporters.js';
import { kReduce, type Reducible } from '../reduction/registry.js';
import { markArray } from '../serialization/array-mark.js';
import { refuse, text, wholeNumber } from '../serialization/pickle/known/arguments.js';
import { typecodes } from '../serialization/pickle/known/array.js';
import { bytesOf, LARGE_ARRAY } from '../serialization/pickle/known/elements.js';
import { checkNdArray, checkShape, isNdArray, storageOf, type NdArray } from '../serialization/pickle/known/numpy.js';
import { PythonGlobal, PythonTuple, reduce, type PythonObject } from '../serialization/pickle/nodes.js';
import { POOL } from './array-pickles.js';

const { memory } = native;

/** The header is the number of the last message from Python with which this side is done. */
const HEADER_BYTES = 4096;

/** The most bytes for arrays in each direction. Those from Python come behind those from here. */
const MOST = 2 ** 28;

/** Each array begins so many bytes behind the beginning of a page: see message-memory.ts. */
const OFFSET = 128;
const PAGE = 4096;

const TAKE = new PythonGlobal(POOL, 'take');

export class PoolMemory implements ArrayCarrier, Reducible {
  readonly #id = memory.createGrowing(HEADER_BYTES);
  readonly #received = new BigUint64Array(1);
  readonly #header = new Uint8Array(this.#received.buffer);
  /** Where the next array goes. */
  #next = HEADER_BYTES;
  /** How many tasks were sent, have ended, and which was the last one with an array. */
  #sent = 0;
  #ended = 0;
  #last = 0;
  /** How many bytes the present message has taken. */
  #taken = 0;
  /** Gives back the memory of the arrays. False if there may be some that have not been read. */
  readonly giveBack = (): boolean => {
    if (this.#ended < this.#sent) return false;
    memory.shrink(this.#id);
    return true;
  };

  /** Whether this system has such files, and memory for one more. */
  get exists(): boolean {
    return this.#id >= 0;
  }

  /** For Python it is a Connection, whose descriptor is that of the file. */
  [kReduce](exporter: Exporter): Pick<ConnectionDescriptor, 'type' | 'descriptor' | 'readable' | 'writable'> {
    const descriptor = exporter.descriptor(memory.fd(this.#id));
    return { type: 'Connection', descriptor, readable: true, writable: true };
  }

  put(object: object, context: MessageContext): PythonObject | undefined {
    if (!types.isTypedArray(object) || object.byteLength < LARGE_ARRAY || !this.exists) return undefined;
    const typecode = typecodes.get(Object.getPrototypeOf(object));
    // Not of a class that users may have registered.
    if (typecode === undefined) return undefined;
    const marked = isNdArray(object);
    if (marked) checkNdArray(object);
    // All that was there has been read.
    if (this.#last <= this.#ended) this.#next = HEADER_BYTES;
    const [last, next] = [this.#last, this.#next];
    const at = next + OFFSET;
    if (at + object.byteLength > HEADER_BYTES + MOST) return undefined;
    if (memory.writeAt(this.#id, at, bytesOf(object)) < 0) return undefined;
    context.onFailure(() => {
      [this.#last, this.#next] = [last, next];
    });
    whenIdle(this.giveBack);
    this.#last = this.#sent + 1;
    this.#next = Math.ceil((at + object.byteLength) / PAGE) * PAGE;
    return reduce(TAKE, marked ? [at, object.dtype, new PythonTuple(object.shape)] : [at, typecode, object.byteLength]);
  }

  take(at: unknown, kind: unknown, shape: unknown): NdArray {
    const dtype = text(kind, 'its dtype');
    const { type, each } = storageOf(dtype);
    const Class = (globalThis as unknown as Record<string, Float64ArrayConstructor>)[type] as Float64ArrayConstructor;
    const lengths = checkShape(shape);
    const bytes = lengths.reduce((product, length) => product * length, each * Class.BYTES_PER_ELEMENT);
    const size = wholeNumber(bytes, 'its size', 0, MOST);
    // A message with Connections is read twice.
    if ((this.#taken += size) > 2 * MOST) refuse('there are too many');
    const buffer = allocateWhole(size);
    const place = wholeNumber(at, 'its place', HEADER_BYTES, HEADER_BYTES + 2 * MOST);
    if (memory.readAt(this.#id, place, new Uint8Array(buffer)) < 0) refuse('its elements are not there');
    whenIdle(this.giveBack);
    return markArray(new Class(buffer), lengths, dtype);
  }

  /** A task was sent. */
  sent(): void {
    this.#sent++;
  }

  /** A message that may have arrays was read, or cannot be read. */
  received(endsTask: boolean): void {
    if (endsTask) this.#ended++;
    this.#taken = 0;
    this.#received[0] = (this.#received[0] as bigint) + 1n;
    memory.write(this.#id, 0, this.#header);
  }

  close(): void {
    memory.close(this.#id);
  }
}
