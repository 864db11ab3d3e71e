// SPDX-License-Identifier: MIT
//
// Objects described by a plain value, for another thread of this process or for a process that inherits the descriptors
// by other means.
import { readdirSync } from 'node:fs';
import { constants } from 'node:os';

import { systemError } from '../core/errors.js';
import { native } from '../native/addon.js';
import {
  duplicate,
  exportSemaphore,
  identityOf,
  leadsTo,
  type DescriptorAddress,
  type Exporter,
  type Importer,
  type SemaphoreAddress,
  type TransferableSemaphore,
} from './exporters.js';

/** Makes addresses that any reader of the plain value can use. */
export class Description implements Exporter {
  readonly recorded: boolean;
  readonly serialization = 'structured';
  readonly toOneProcess = false;
  readonly continues = true;

  constructor(recorded: boolean) {
    this.recorded = recorded;
  }

  descriptor(fd: number): DescriptorAddress {
    return { fd, pid: process.pid, ...identityOf(fd) };
  }

  semaphore(semaphore: TransferableSemaphore): SemaphoreAddress {
    return exportSemaphore(semaphore, this);
  }

  onFailure(): void {
    // Nothing has to be undone: the description is the only result.
  }
}

/**
 * Finds the descriptors that a Description names: a copy of that of another thread of this process, or an inherited
 * one.
 */
export const described: Importer = {
  descriptor(address) {
    if (address.pid === process.pid && leadsTo(address.fd, address)) return duplicate(address.fd);
    const found = openDescriptors().find((fd) => fd > 2 && leadsTo(fd, address) && !isOwned(fd));
    if (found !== undefined) return found;
    throw systemError(-constants.errno.EBADF, 'fstat', 'this process has not inherited the descriptor');
  },
};

function openDescriptors(): number[] {
  return readdirSync(process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd').map(Number);
}

function isOwned(fd: number): boolean {
  const found = new Int32Array(5);
  return native.describe(fd, found) < 0 || found[4] === 1;
}
