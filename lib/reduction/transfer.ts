// SPDX-License-Identifier: MIT
//
// How objects are given to others and taken. What an object consists of (semaphores, descriptors) is the same whoever gets
// it; how the parts travel is not: a child inherits them, a thread copies them, a message carries them along. So describe.ts
// takes objects apart and puts them together, once for each class, and what is here says how the parts go.
import { fstatSync, readdirSync } from 'node:fs';
import { constants } from 'node:os';

import { systemError } from '../core/errors.js';
import { native } from '../native/addon.js';
import type { SemaphoreAddress, SemaphoreHandle } from '../synchronize/semaphore-handle.js';

/** Where a descriptor is to be found. */
export interface DescriptorAddress {
  /** Its number: in the process that has it (then `pid` says which), in the child that inherits it, or in a message. */
  readonly fd: number;
  /** The process that has it, if it was described for whoever reads that. */
  readonly pid?: number | undefined;
  /** What it leads to, so that another descriptor that has got its number is not taken for it: the device, */
  readonly device?: string | undefined;
  /** and the number on it. */
  readonly inode?: string | undefined;
}

/** Who gives objects away. */
export interface Giving {
  /** Whether who gets them records, as this package does, who holds a lock. */
  readonly recorded: boolean;
  /** How objects travel over a Connection for which nobody has chosen yet. */
  readonly serialization: 'structured' | 'pickle';
  /** Whether who gets them goes on with what was read ahead here. */
  readonly continues: boolean;
  descriptor(fd: number): DescriptorAddress;
  semaphore(handle: SemaphoreHandle): SemaphoreAddress;
  /** Has something undone if giving fails after all. */
  onFailure(undo: () => void): void;
}

/** Who takes them. */
export interface Taking {
  /** The number of a descriptor of this process, which belongs to the caller from now on. */
  descriptor(address: DescriptorAddress): number;
}

/** What a descriptor leads to. */
export function identityOf(fd: number): { device: string; inode: string } {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return { device: String(dev), inode: String(ino) };
}

/** Whether a descriptor is open and leads to what the address says. */
export function leadsTo(fd: number, { device, inode }: DescriptorAddress): boolean {
  try {
    const found = identityOf(fd);
    return found.device === device && found.inode === inode;
  } catch {
    return false;
  }
}

/** Where a semaphore is, for somebody who may not record what he does with it. */
function addressOf(handle: SemaphoreHandle, { recorded }: Giving): SemaphoreAddress {
  if (!recorded) handle.expose();
  return handle.address;
}

/** Collects what a child process is to inherit, and gives each descriptor the number that it will have there. */
export class Inheritance implements Giving {
  readonly recorded: boolean;
  readonly serialization: 'structured' | 'pickle';
  readonly continues: boolean;
  readonly #first: number;
  readonly #fds: number[] = [];
  readonly #pinned: SemaphoreHandle[] = [];
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

  /** Its name stays until `attached` is called, also if it is closed here. */
  semaphore(handle: SemaphoreHandle): SemaphoreAddress {
    const address = addressOf(handle, this);
    handle.pin();
    this.#pinned.push(handle);
    return address;
  }

  onFailure(undo: () => void): void {
    this.#undo.push(undo);
  }

  /** The child has opened everything, or will not any more. */
  attached(): void {
    for (const handle of this.#pinned.splice(0)) handle.unpin();
  }

  /** There will be no child. */
  failed(): void {
    this.attached();
    for (const undo of this.#undo.splice(0)) undo();
  }
}

/** Collects what goes along with a message. */
export class Cargo implements Giving {
  readonly recorded = true;
  readonly serialization = 'structured';
  readonly continues = true;
  readonly #undo: (() => void)[] = [];
  /** The descriptors of this process, in the order of their numbers in the message. */
  readonly fds: number[] = [];

  descriptor(fd: number): DescriptorAddress {
    return { fd: this.fds.push(fd) - 1 };
  }

  semaphore(handle: SemaphoreHandle): SemaphoreAddress {
    return addressOf(handle, this);
  }

  onFailure(undo: () => void): void {
    this.#undo.push(undo);
  }

  /** The message will not be sent. */
  failed(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }
}

/** Takes what has come along with a message. What it describes may ask for nothing else. */
export function takeFrom(fds: readonly number[]): Taking & { closeRest(): void } {
  const rest = new Map(fds.entries());
  return {
    descriptor(address) {
      const fd = rest.get(address.fd);
      if (fd === undefined) throw systemError(-constants.errno.EBADF, 'recvmsg', 'a descriptor is missing');
      rest.delete(address.fd);
      return fd;
    },
    closeRest() {
      for (const fd of rest.values()) native.closeDescriptor(fd);
    },
  };
}

/** Takes what this process has inherited. */
export const inherited: Taking = {
  descriptor(address) {
    if (leadsTo(address.fd, address)) return address.fd;
    throw systemError(
      -constants.errno.EBADF,
      'fstat',
      `descriptor ${address.fd} is not what this process should have inherited`,
    );
  },
};

/** Gives to whoever gets to see a plain value: another thread of this process, or a process that inherits by other means. */
export class Description implements Giving {
  readonly recorded: boolean;
  readonly serialization = 'structured';
  readonly continues = true;

  constructor(recorded: boolean) {
    this.recorded = recorded;
  }

  descriptor(fd: number): DescriptorAddress {
    return { fd, pid: process.pid, ...identityOf(fd) };
  }

  semaphore(handle: SemaphoreHandle): SemaphoreAddress {
    return addressOf(handle, this);
  }

  onFailure(): void {
    // The description is all that is made.
  }
}

/** Takes what a Description tells of: a copy from another thread of this process, or what this process has inherited. */
export const described: Taking = {
  descriptor(address) {
    if (address.pid === process.pid && leadsTo(address.fd, address)) return duplicate(address.fd);
    const found = openDescriptors().find((fd) => fd > 2 && leadsTo(fd, address) && !isOwned(fd));
    if (found !== undefined) return found;
    throw systemError(-constants.errno.EBADF, 'fstat', 'this process has not inherited what the descriptor stands for');
  },
};

function openDescriptors(): number[] {
  return readdirSync(process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd').map(Number);
}

function isOwned(fd: number): boolean {
  const found = new Int32Array(5);
  return native.describe(fd, found) < 0 || found[4] === 1;
}

/** A copy of a descriptor of this process, which belongs to nobody yet. */
export function duplicate(fd: number): number {
  const copy = native.duplicate(fd);
  if (copy < 0) throw systemError(copy, 'fcntl', `descriptor ${fd}`);
  return copy;
}
