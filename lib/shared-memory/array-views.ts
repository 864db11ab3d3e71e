// SPDX-License-Identifier: MIT
//
// Typed arrays over blocks of shared memory, and how they are passed on. Of each block there is one ArrayBuffer in this
// environment: an array that comes back is over the same one. When the ArrayBuffer is collected, the block is given up.
import { constants } from 'node:os';

import { argumentError, NotSupported, systemError } from '../core/errors.js';
import { hasMemory } from '../core/available-memory.js';
import { whenIdle } from '../core/idle.js';
import { perEnvironment } from '../core/per-environment.js';
import { checkInteger } from '../core/validate.js';
import { native } from '../native/addon.js';
import { kReduce, registerRebuild, type Reduced, type Reducible } from '../reduction/registry.js';
import { registerSharedViews } from '../reduction/shared-views.js';
import { isMarked, markArray } from '../serialization/array-mark.js';
import { forbidTransfer } from './memory-block.js';

/** Where an array is, for another process. It counts as a use of the block until it was opened. */
export interface SharedArrayAddress extends Reduced {
  readonly type: 'SharedArray';
  /** The folder of the block's file, and the file. */
  readonly folder: string;
  readonly file: string;
  /** Which use of the block this is. */
  readonly generation: number;
  /** Where the ticket of the message is in the block, and the ticket. */
  readonly word: number;
  readonly ticket: number;
  /** The class of the typed array. */
  readonly elements: string;
  /** Where its first element is, in bytes. */
  readonly offset: number;
  readonly length: number;
  readonly shape?: readonly number[] | undefined;
  readonly dtype?: string | undefined;
}

/** What a block may be read as. */
const CLASSES =
  /^(?:Int8|Uint8|Uint8Clamped|Int16|Uint16|Int32|Uint32|BigInt64|BigUint64|Float16|Float32|Float64)Array$|^DataView$/;

const { arrays } = native;

type ViewClass = { readonly BYTES_PER_ELEMENT?: number } & (new (
  buffer: ArrayBuffer,
  offset: number,
  length: number,
) => ArrayBufferView);

const state = perEnvironment('shared-memory/arrays', () => ({
  buffers: new WeakSet<ArrayBufferLike>(),
  /** Those that were passed on or received, by the files of their blocks. */
  byFile: new Map<string, WeakRef<ArrayBuffer>>(),
}));

const collected = new FinalizationRegistry<string>((file) => {
  if (state.byFile.get(file)?.deref() === undefined) state.byFile.delete(file);
});

function trim(): boolean {
  return arrays.trim();
}

function add(buffer: ArrayBuffer | number, syscall: string, detail: string): ArrayBuffer {
  whenIdle(trim);
  if (typeof buffer === 'number') {
    if (buffer === -constants.errno.ENOTSUP)
      throw new NotSupported('This runtime makes no ArrayBuffer over shared memory');
    throw systemError(buffer, syscall, detail);
  }
  forbidTransfer(buffer);
  state.buffers.add(buffer);
  registerSharedViews(find);
  return buffer;
}

function remember(file: string, buffer: ArrayBuffer): void {
  if (state.byFile.get(file)?.deref() === buffer) return;
  state.byFile.set(file, new WeakRef(buffer));
  collected.register(buffer, file);
}

/** An ArrayBuffer over shared memory, with the contents of its last use. */
export function makeSharedBuffer(bytes: number): ArrayBuffer {
  let buffer = arrays.take(bytes);
  if (typeof buffer === 'number') buffer = hasMemory(bytes) ? arrays.make(bytes) : -constants.errno.ENOSPC;
  return add(buffer, 'open', `shared array of ${bytes} bytes`);
}

/** Whether a buffer is over such memory. */
export function isSharedBuffer(buffer: ArrayBufferLike): buffer is ArrayBuffer {
  return state.buffers.has(buffer);
}

/** Gives up the memory of an array, and of all others over its buffer: they are empty then. */
export function releaseBuffer(buffer: ArrayBuffer): void {
  native.memory.detach(buffer);
}

function find(view: ArrayBufferView): Reducible | undefined {
  const { buffer } = view;
  if (!isSharedBuffer(buffer)) return undefined;
  return {
    [kReduce](exporter): SharedArrayAddress {
      const sent = arrays.send(buffer, exporter.endpoint ?? -1);
      if (typeof sent === 'number') throw systemError(sent, 'send', 'a shared array that is in too many messages');
      const [folder, file, generation, word, ticket] = sent;
      remember(file, buffer);
      const end = (): void => {
        arrays.endTicket(file, word, ticket);
      };
      exporter.onFailure(end);
      exporter.onSettled?.(end);
      const elements = (view as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] as string;
      const { BYTES_PER_ELEMENT: width = 1 } = view as { BYTES_PER_ELEMENT?: number };
      const place = { elements, offset: view.byteOffset, length: view.byteLength / width };
      const mark = isMarked(view) ? { shape: view.shape, dtype: view.dtype } : {};
      return { type: 'SharedArray', folder, file, generation, word, ticket, ...place, ...mark };
    },
  };
}

function openBuffer(file: unknown, generation: unknown, word: unknown, ticket: unknown): ArrayBuffer {
  if (typeof file !== 'string') throw argumentError('type', 'file must be a string');
  for (const [name, value] of Object.entries({ generation, word, ticket })) checkInteger(value, name);
  const place = [generation, word, ticket] as [number, number, number];
  const known = state.byFile.get(file)?.deref();
  // One that was released is empty.
  if (known === undefined || known.byteLength === 0) {
    const buffer = add(arrays.open(file, ...place), 'open', file);
    remember(file, buffer);
    return buffer;
  }
  const status = arrays.reopen(known, ...place);
  if (status < 0) throw systemError(status, 'open', file);
  return known;
}

/** The array at an address, over the ArrayBuffer that is here already, if there is one. */
export function openSharedArray(address: Record<string, unknown>): ArrayBufferView {
  const { file, generation, word, ticket, elements, offset, length, shape, dtype } = address;
  const buffer = openBuffer(file, generation, word, ticket);
  if (typeof elements !== 'string' || !CLASSES.test(elements)) throw argumentError('type', 'elements must be a class');
  const Class = (globalThis as unknown as Record<string, ViewClass | undefined>)[elements];
  if (Class === undefined) throw new NotSupported(`This runtime has no ${elements}`);
  checkInteger(offset, 'offset', 0, buffer.byteLength);
  checkInteger(length, 'length', 0, Math.floor((buffer.byteLength - offset) / (Class.BYTES_PER_ELEMENT ?? 1)));
  const view = new Class(buffer, offset, length);
  if (!Array.isArray(shape) || typeof dtype !== 'string') return view;
  (shape as unknown[]).forEach((size, i) => {
    checkInteger(size, `shape[${i}]`);
  });
  return markArray(view, shape as number[], dtype);
}

registerRebuild(['SharedArray'], (fields) => openSharedArray(fields) as object);
