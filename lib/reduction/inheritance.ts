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
} from './transfer.js';

/** Collects what a child process is to inherit, and gives each descriptor the number that it will have there. */
export class Inheritance implements Exporter {
  readonly recorded: boolean;
  readonly serialization: 'structured' | 'pickle';
  readonly continues: boolean;
  readonly #first: number;
  readonly #fds: number[] = [];
  readonly #pinned: TransferableSemaphore[] = [];
  readonly #undo: (() => void)[] = [];

  /**
   * @param first The number of the first descriptor in the child.
   * @param node Whether the child uses this package.
   */
  constructor(first: number, node: boolean) {
    this.#first = first;
    this.recorded = node;
    this.continues = node;
    this.serialization = node ? 'structured' : 'pickle';
  }

  /** The descriptors of this process, in the order of their numbers in the child. */
  get fds(): readonly number[] {
    return this.#fds;
  }

  descriptor(fd: number): DescriptorAddress {
    this.#fds.push(fd);
    return { fd: this.#first + this.#fds.length - 1, ...identityOf(fd) };
  }

  /** The semaphore's name stays until `attached` is called, also if the semaphore is closed here. */
  semaphore(semaphore: TransferableSemaphore): SemaphoreAddress {
    const address = exportSemaphore(semaphore, this);
    semaphore.pin();
    this.#pinned.push(semaphore);
    return address;
  }

  onFailure(undo: () => void): void {
    this.#undo.push(undo);
  }

  /** The child has opened everything, or will not open anything any more. */
  attached(): void {
    for (const semaphore of this.#pinned.splice(0)) semaphore.unpin();
  }

  /** There will be no child. */
  failed(): void {
    this.attached();
    for (const undo of this.#undo.splice(0)) undo();
  }
}

/** Finds what this process has inherited. */
export const inherited: Importer = {
  descriptor(address) {
    if (leadsTo(address.fd, address)) return address.fd;
    throw systemError(
      -constants.errno.EBADF,
      'fstat',
      `descriptor ${address.fd} is not what this process should have inherited`,
    );
  },
};
