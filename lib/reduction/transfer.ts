// SPDX-License-Identifier: MIT
//
// How the parts of an object (descriptors, semaphores) get to another process or thread. The parts of an object are the same
// for every receiver. How they travel differs: a child inherits them, a thread copies them, a message carries them along.
import { fstatSync } from 'node:fs';

import { systemError } from '../core/errors.js';
import { native } from '../native/addon.js';

/** Where a descriptor is to be found. */
export interface DescriptorAddress {
  /** Its number: in the process that has it (then `pid` names that process), in the child that inherits it, or in a message. */
  readonly fd: number;
  /** The process that has the descriptor, if the address is for another thread of it. */
  readonly pid?: number | undefined;
  /** The device of what the descriptor leads to: another descriptor may have got its number since. */
  readonly device?: string | undefined;
  /** The inode on that device. */
  readonly inode?: string | undefined;
}

/** Where other processes find a semaphore. Without a family it is one that was opened by a name from outside. */
export interface SemaphoreAddress {
  /** The name for `sem_open`. */
  readonly name: string;
  /** The family in whose register the name is. */
  readonly family?: string | undefined;
  /** The number of its records in the family's table. */
  readonly number?: number | undefined;
}

/** A semaphore, as far as passing it on needs to know it. */
export interface TransferableSemaphore {
  readonly address: SemaphoreAddress;
  /** Marks the semaphore as used by processes that keep no holder records. */
  expose(): void;
  /** Keeps the name alive until `unpin`: a child was given it and has not opened it yet. */
  pin(): void;
  unpin(): void;
}

/** Takes the parts of an object that goes to another process or thread, and says how to address them there. */
export interface Exporter {
  /** Whether the receiver records, as this package does, which process holds a lock. */
  readonly recorded: boolean;
  /** How objects travel over a channel whose format is still open. */
  readonly serialization: 'structured' | 'pickle';
  /** Whether the receiver goes on with what was read ahead here. */
  readonly continues: boolean;
  descriptor(fd: number): DescriptorAddress;
  semaphore(semaphore: TransferableSemaphore): SemaphoreAddress;
  /** `undo` runs if the object is not passed on after all. */
  onFailure(undo: () => void): void;
}

/** Finds the parts of an object that has come from another process or thread. */
export interface Importer {
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
    // It is not open.
    return false;
  }
}

/** The semaphore's address. Exposes the semaphore if the receiver keeps no holder records. */
export function exportSemaphore(semaphore: TransferableSemaphore, { recorded }: Exporter): SemaphoreAddress {
  if (!recorded) semaphore.expose();
  return semaphore.address;
}

/** A copy of a descriptor of this process, which no object owns yet. */
export function duplicate(fd: number): number {
  const copy = native.duplicate(fd);
  if (copy < 0) throw systemError(copy, 'fcntl', `descriptor ${fd}`);
  return copy;
}
