// SPDX-License-Identifier: MIT
//
// Small pieces of shared memory that has no name: CPython's multiprocessing.heap. A piece belongs to an arena, whose
// descriptor is passed on.
import { argumentError, ClosedError } from '../core/errors.js';
import { checkInteger, checkObject } from '../core/validate.js';
import { leadsTo, type DescriptorAddress, type Exporter, type Importer } from '../reduction/exporters.js';
import { MemoryBlock } from './memory-block.js';

const ARENA_BYTES = 64 * 1024;
const PAGE_BYTES = 4096;
/** CPython: `Heap._alignment`. */
const ALIGNMENT = 8;

/** Where a piece is. */
export interface PieceAddress {
  /** The descriptor of its arena. */
  readonly arena: DescriptorAddress;
  /** The size of the arena in bytes. */
  readonly arenaSize: number;
  /** Where it begins there, in bytes. */
  readonly start: number;
  /** Its size in bytes. */
  readonly size: number;
}

/** The arena from which pieces are taken. */
let current: Arena | undefined;

/** The arenas that came from other processes, by their files: of one file there is one arena. */
const imported = new Map<string, WeakRef<Arena>>();

/** Gives back pieces whose objects were collected. */
const collected = new FinalizationRegistry<Arena>((arena) => {
  arena.release();
});

export class Arena {
  readonly block: MemoryBlock;
  #used = 0;
  #pieces = 0;
  readonly #addresses = new WeakMap<Exporter, DescriptorAddress>();

  private constructor(block: MemoryBlock) {
    this.block = block;
  }

  static make(bytes: number): Arena {
    return new Arena(MemoryBlock.create('', Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES));
  }

  static import(address: DescriptorAddress, importer: Importer): Arena {
    const file = address.inode === undefined ? undefined : `${address.device}:${address.inode}`;
    const known = file === undefined ? undefined : imported.get(file)?.deref();
    // The file is open here, so no other one has its inode.
    if (known !== undefined && known.#pieces > 0 && leadsTo(known.block.fd, address)) return known;
    const arena = new Arena(MemoryBlock.adopt(importer.descriptor(address)));
    if (file !== undefined) imported.set(file, new WeakRef(arena));
    return arena;
  }

  /**
   * Where the next piece begins; undefined if there is no room. What a piece has had is not used again: another process
   * may still have it.
   */
  take(bytes: number): number | undefined {
    const start = this.#used;
    if (start + bytes > this.block.size) return undefined;
    this.#used += bytes;
    return start;
  }

  hold(): void {
    this.#pieces++;
  }

  release(): void {
    if (--this.#pieces > 0) return;
    if (this === current) current = undefined;
    for (const [file, arena] of imported) if (arena.deref() === this) imported.delete(file);
    this.block.close(false);
  }

  /** A child gets one descriptor for all pieces that it is given. */
  address(exporter: Exporter): DescriptorAddress {
    const known = this.#addresses.get(exporter);
    if (known !== undefined) return known;
    const address = exporter.descriptor(this.block.fd);
    // In a message each number stands for one descriptor, which is taken once.
    if (address.inode !== undefined) this.#addresses.set(exporter, address);
    return address;
  }
}

/** A piece of shared memory. CPython: `heap.BufferWrapper`. */
export class Piece {
  readonly arena: Arena;
  readonly start: number;
  readonly size: number;
  #bytes: Buffer | undefined;

  /** Of an arena that has room for it. */
  constructor(arena: Arena, start: unknown, size: unknown) {
    checkInteger(start, 'start', 0, arena.block.size);
    checkInteger(size, 'size', 0, arena.block.size - start);
    // An array over it must be aligned.
    if (start % ALIGNMENT !== 0) throw argumentError('range', `start must be a multiple of ${ALIGNMENT}`);
    this.arena = arena;
    this.start = start;
    this.size = size;
    this.#bytes = Buffer.from(arena.block.view(), start, size);
    arena.hold();
    collected.register(this, arena, this);
  }

  /** A new piece, of zeros. */
  static make(size: number): Piece {
    const bytes = Math.max(ALIGNMENT, Math.ceil(size / ALIGNMENT) * ALIGNMENT);
    const isLarge = bytes > ARENA_BYTES / 2;
    let arena = isLarge ? Arena.make(bytes) : (current ??= Arena.make(ARENA_BYTES));
    let start = arena.take(bytes);
    if (start === undefined) {
      arena = current = Arena.make(ARENA_BYTES);
      start = arena.take(bytes);
    }
    return new Piece(arena, start, size);
  }

  static import(value: unknown, name: string, importer: Importer): Piece {
    checkObject(value, name);
    const { arena, start, size } = value as Partial<PieceAddress>;
    checkObject(arena, `${name}.arena`);
    return new Piece(Arena.import(arena, importer), start, size);
  }

  /** The memory. */
  get bytes(): Buffer {
    this.checkOpen();
    return this.#bytes as Buffer;
  }

  checkOpen(): void {
    if (this.#bytes === undefined) throw new ClosedError('shared value');
  }

  get closed(): boolean {
    return this.#bytes === undefined;
  }

  /** Another object over the same memory. */
  dup(): Piece {
    return new Piece(this.arena, this.start, this.bytes.length);
  }

  address(exporter: Exporter): PieceAddress {
    const { arena, start, size } = this;
    this.checkOpen();
    return { arena: arena.address(exporter), arenaSize: arena.block.size, start, size };
  }

  close(): void {
    if (this.#bytes === undefined) return;
    this.#bytes = undefined;
    collected.unregister(this);
    this.arena.release();
  }
}
