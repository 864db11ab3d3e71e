// SPDX-License-Identifier: MIT
//
// Objects that a child process inherits.
import { constants } from 'node:os';

import { systemError } from '../core/errors.js';
import {
  exportSemaphore,
  identityOf,
  leadsTo,
  type DescriptorAddress,
  type Exporter,
  type Importer,
  type SemaphoreAddress,
  type TransferableSemaphore,
} from './exporters.js';

/**
 * Collects the descriptors and semaphores that a child process inherits, and gives each descriptor its number in the
 * child.
 */
export class Inheritance implements Exporter {
  /** Python children record, too: `lib/python/records`. */
  readonly recorded = true;
  readonly serialization: 'structured' | 'pickle';
  readonly toOneProcess = true;
  readonly continues: boolean;
  readonly #first: number;
  readonly #fds: number[] = [];
  readonly #pinned: TransferableSemaphore[] = [];
  readonly #undo: (() => void)[] = [];
  readonly #settled: (() => void)[] = [];

  /**
   * @param first The number of the first descriptor in the child.
   * @param node Whether the child uses this package.
   */
  constructor(first: number, node: boolean) {
    this.#first = first;
    this.continues = node;
    this.serialization = node ? 'structured' : 'pickle';
  }

  /** The descriptors of this process, in the order of their numbers in the child. */
  get fds(): readonly number[] {
    return this.#fds;
  }

  /** The semaphores that the child is given, by their ids. */
  get semaphores(): Int32Array {
    return Int32Array.from(this.#pinned, ({ id }) => id);
  }

  descriptor(fd: number): DescriptorAddress {
    this.#fds.push(fd);
    return { fd: this.#first + this.#fds.length - 1, ...identityOf(fd) };
  }

  /** Keeps the semaphore's name until `attached` is called, even if the semaphore is closed here. */
  semaphore(semaphore: TransferableSemaphore): SemaphoreAddress {
    const address = exportSemaphore(semaphore, this);
    semaphore.pin();
    this.#pinned.push(semaphore);
    return address;
  }

  onFailure(undo: () => void): void {
    this.#undo.push(undo);
  }

  onSettled(settled: () => void): void {
    this.#settled.push(settled);
  }

  /** Releases the names: the child has opened everything, or can no longer open anything. */
  attached(): void {
    for (const semaphore of this.#pinned.splice(0)) semaphore.unpin();
    for (const settled of this.#settled.splice(0)) settled();
  }

  /** Undoes the export, if no child was started. */
  failed(): void {
    this.attached();
    for (const undo of this.#undo.splice(0)) undo();
  }
}

/** Finds the descriptors that this process has inherited. */
export const inherited: Importer = {
  descriptor(address) {
    if (leadsTo(address.fd, address)) return address.fd;
    throw systemError(
      -constants.errno.EBADF,
      'fstat',
      `descriptor ${address.fd} is not the one that this process should have inherited`,
    );
  },
};
