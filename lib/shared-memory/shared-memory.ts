// SPDX-License-Identifier: MIT
import { inspect } from 'node:util';

import { argumentError, ClosedError, systemError } from '../core/errors.js';
import {
  checkBoolean,
  checkBytes,
  checkInteger,
  checkOptionNames,
  checkRange,
  checkSemaphoreName,
  optionNames,
  type Bytes,
} from '../core/validate.js';
import { native } from '../native/addon.js';
import { kReduce } from '../reduction/registry.js';
import { shareableMark } from '../reduction/shareable.js';
import { MemoryBlock } from './memory-block.js';

/** Options of a `SharedMemory`. */
export interface SharedMemoryOptions {
  /** The name of the block, as in CPython: without a slash. Needed unless `create` is true. Default: a new name. */
  name?: string | undefined;
  /** Whether to make a new block. Default false: the block exists. */
  create?: boolean | undefined;
  /** How many bytes a new block has; without `create` it is ignored, as in CPython. */
  size?: number | undefined;
}

/** Options of `SharedMemory.view`. */
export interface ViewOptions {
  /** Whether to make a SharedArrayBuffer, which all threads of this process may have. Default false. */
  shared?: boolean | undefined;
}

/** The result of `describe` for a SharedMemory or a ShareableList. It is plain JSON. */
export interface SharedMemoryDescriptor {
  /** The class. */
  readonly type: 'SharedMemory' | 'ShareableList';
  /** The name of the block. */
  readonly name: string;
}

const names = optionNames<SharedMemoryOptions>({ name: true, create: true, size: true });
const viewNames = optionNames<ViewOptions>({ shared: true });
const mark = shareableMark('SharedMemory');

/** With the slash. */
function checkName(name: unknown): string {
  if (typeof name !== 'string') throw argumentError('type', 'name must be a string, unless create is true');
  const full = name.startsWith('/') ? name : `/${name}`;
  if (full === '/.' || full === '/..' || full.lastIndexOf('/') > 0) {
    throw argumentError('range', 'name must be that of a block, such as psm_1, and not a path');
  }
  checkSemaphoreName(full, 'name');
  return full;
}

/** CPython: `shared_memory._make_filename`. */
function newName(): string {
  return `/psm_${process.getBuiltinModule('node:crypto').randomBytes(4).toString('hex')}`;
}

function isTaken(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EEXIST';
}

/**
 * A block of memory with a name, which all processes of this user can open. CPython:
 * `multiprocessing.shared_memory.SharedMemory`.
 *
 * A new block has all of its memory reserved. It exists until `unlink()`, or until the last process of the family that
 * has made it has ended.
 */
export class SharedMemory {
  /** The name, without a slash. */
  readonly name: string;
  /** The size in bytes. */
  readonly size: number;
  #block: MemoryBlock | undefined;
  #buf: Buffer | undefined;

  /**
   * Makes a block, or opens one that exists.
   *
   * @throws A system error: EEXIST or ENOSPC for a new block, ENOENT or EACCES for one that should exist.
   */
  constructor(options: SharedMemoryOptions) {
    checkOptionNames(options, names);
    const { name, create = false, size = 0 } = options;
    checkBoolean(create, 'create');
    if (create) checkInteger(size, 'size', 1);
    let full = create && name === undefined ? newName() : checkName(name);
    for (;;) {
      try {
        this.#block = create ? MemoryBlock.create(full, size) : MemoryBlock.open(full);
        break;
      } catch (error) {
        if (name !== undefined || !isTaken(error)) throw error;
        full = newName();
      }
    }
    this.name = full.slice(1);
    this.size = this.#block.size;
    Object.defineProperty(this, 'shareable', mark);
  }

  get #open(): MemoryBlock {
    if (this.#block === undefined) throw new ClosedError('SharedMemory');
    return this.#block;
  }

  /** A Buffer over the memory itself. It is empty after `close()`. CPython: `buf`. */
  get buf(): Buffer {
    return (this.#buf ??= Buffer.from(this.#open.view()));
  }

  /**
   * The memory itself, not a copy: what another process writes is there at once. The ArrayBuffer is detached by
   * `close()`; a SharedArrayBuffer keeps the memory until it is collected. An ArrayBuffer must not be transferred to another
   * thread, which Node refuses before its release 24.
   *
   * @throws `NotSupported` where the runtime cannot make such a buffer: a SharedArrayBuffer needs Node 24.16.
   */
  view(options?: ViewOptions & { shared?: false | undefined }): ArrayBuffer;
  view(options: ViewOptions & { shared: true }): SharedArrayBuffer;
  view(options: ViewOptions = {}): ArrayBuffer | SharedArrayBuffer {
    checkOptionNames(options, viewNames);
    if (options.shared !== undefined) checkBoolean(options.shared, 'shared');
    return options.shared === true ? this.#open.viewShared() : this.#open.view();
  }

  /** A copy of `size` bytes from `offset`, by default to the end. */
  read(offset = 0, size?: number): Buffer {
    const block = this.#open;
    const copy = Buffer.allocUnsafeSlow(checkRange(offset, size, this.size));
    block.read(offset, copy);
    return copy;
  }

  /** Copies bytes into the memory at `offset`. */
  write(data: Bytes, offset = 0): void {
    const block = this.#open;
    const bytes = checkBytes(data, 'data');
    checkInteger(offset, 'offset', 0, Math.max(0, this.size - bytes.byteLength));
    if (bytes.byteLength > this.size) throw argumentError('range', `data must have at most ${this.size} bytes`);
    block.write(offset, bytes);
  }

  /**
   * Removes the name. Processes that have the block open keep it; it is gone when the last one has closed it. Throws a
   * system error with code ENOENT if the name does not exist. CPython: `unlink()`.
   */
  unlink(): void {
    const status = native.memory.unlink(`/${this.name}`);
    if (status < 0) throw systemError(status, 'shm_unlink', this.name);
  }

  /** Whether this object was closed. */
  get closed(): boolean {
    return this.#block === undefined;
  }

  /** Closes this object, and detaches its ArrayBuffer; the block stays. Doing so again changes nothing. */
  close(): void {
    this.#block?.close(true);
    this.#block = this.#buf = undefined;
  }

  /** `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** What console.log shows. CPython: `SharedMemory('psm_...', size=...)`. */
  [inspect.custom](): string {
    return `SharedMemory { name: '${this.name}', size: ${this.size}${this.closed ? ', closed' : ''} }`;
  }

  /** @internal */
  [kReduce](): SharedMemoryDescriptor {
    if (this.closed) throw new ClosedError('SharedMemory');
    return { type: 'SharedMemory', name: this.name };
  }
}
