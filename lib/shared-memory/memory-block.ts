// SPDX-License-Identifier: MIT
//
// A block of shared memory that is mapped into this environment.
import { constants as bufferConstants } from 'node:buffer';
import { constants } from 'node:os';

import { hasMemory } from '../core/available-memory.js';
import { NotSupported, systemError } from '../core/errors.js';
import { native } from '../native/addon.js';

const memory = native.memory;

/** Closes blocks whose objects were collected. Buffers over them keep the memory. */
const collected = new FinalizationRegistry<number>((id) => {
  memory.close(id);
});

/** The limit of an ArrayBuffer in this release of Node. */
const LONGEST_VIEW = bufferConstants.MAX_LENGTH;

function notMapped(what: string): NotSupported {
  return new NotSupported(`This runtime makes no ${what} over shared memory of this size: use read() and write()`);
}

/**
 * Forbids that a buffer is transferred: another thread could keep it for longer than this one has the memory mapped. From Node 24
 * on nothing can detach a buffer of which that is forbidden, and Node, which does so at the end of an environment, would abort.
 */
export function forbidTransfer(buffer: ArrayBuffer): void {
  const { markAsUntransferable } = process.getBuiltinModule('node:worker_threads');
  if ((canForbid ??= staysDetachable(markAsUntransferable))) markAsUntransferable(buffer);
}

let canForbid: boolean | undefined;

function staysDetachable(forbid: (buffer: object) => void): boolean {
  const probe = new ArrayBuffer(1) as ArrayBuffer & { transfer?(): ArrayBuffer };
  forbid(probe);
  try {
    // Node 20 has no such method.
    probe.transfer?.();
    return true;
  } catch {
    return false;
  }
}

export class MemoryBlock {
  readonly #id: number;
  readonly size: number;
  #view: ArrayBuffer | undefined;

  private constructor(id: number, syscall: string, detail?: string) {
    if (id < 0) throw systemError(id, syscall, detail);
    this.#id = id;
    this.size = memory.size(id);
    collected.register(this, id, this);
  }

  /** @param name A slash and a name, or empty for a block that only has a descriptor. */
  static create(name: string, size: number): MemoryBlock {
    const id = hasMemory(size) ? memory.create(name, size) : -constants.errno.ENOSPC;
    return new MemoryBlock(id, name === '' ? 'memfd_create' : 'shm_open', `${name} of ${size} bytes`.trim());
  }

  static open(name: string): MemoryBlock {
    return new MemoryBlock(memory.open(name), 'shm_open', name);
  }

  /** Opens the block of a descriptor, which belongs to the block from then on, or is closed. */
  static adopt(fd: number): MemoryBlock {
    const id = memory.adopt(fd);
    if (id < 0) native.closeDescriptor(fd);
    return new MemoryBlock(id, 'mmap', `descriptor ${fd}`);
  }

  get fd(): number {
    return memory.fd(this.#id);
  }

  view(): ArrayBuffer {
    if (this.#view !== undefined) return this.#view;
    const view = this.size > LONGEST_VIEW ? -1 : memory.view(this.#id);
    if (typeof view === 'number') throw notMapped('ArrayBuffer');
    forbidTransfer(view);
    this.#view = view;
    return view;
  }

  viewShared(): SharedArrayBuffer {
    const view = this.size > LONGEST_VIEW ? -1 : memory.viewShared(this.#id);
    if (typeof view === 'number') throw notMapped('SharedArrayBuffer');
    return view;
  }

  read(offset: number, into: Uint8Array): void {
    memory.read(this.#id, offset, into);
  }

  write(offset: number, from: Uint8Array): void {
    memory.write(this.#id, offset, from);
  }

  /** @param detach Whether the views become empty; else they keep the memory. */
  close(detach: boolean): void {
    collected.unregister(this);
    memory.close(this.#id);
    if (detach && this.#view !== undefined) memory.detach(this.#view);
    this.#view = undefined;
  }
}
