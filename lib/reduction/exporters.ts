// SPDX-License-Identifier: MIT
//
// How the parts of an object (descriptors, semaphores) reach another process or thread. The parts are the same for
// every receiver. The way differs: a child inherits them, a thread copies them, a message carries them.
import { fstatSync } from 'node:fs';

import { systemError } from '../core/errors.js';
import { native } from '../native/addon.js';

/** The address of a descriptor. */
export interface DescriptorAddress {
  /** Its number: in the process that has it (named by `pid`), in the child that inherits it, or in a message. */
  readonly fd: number;
  /** The process that has the descriptor, if the address is for another thread of it. */
  readonly pid?: number | undefined;
  /** The device of the descriptor's file. It shows, with the inode, whether another file has got the number since. */
  readonly device?: string | undefined;
  /** The inode of the file on that device. */
  readonly inode?: string | undefined;
}

/**
 * The address of a semaphore for other processes. Without a family, the semaphore was opened by a name from outside.
 */
export interface SemaphoreAddress {
  /** The name for `sem_open`. */
  readonly name: string;
  /** The family whose register contains the name. */
  readonly family?: string | undefined;
  /** The number of its records in the family's table. */
  readonly number?: number | undefined;
}

/** The members of a semaphore that are needed for passing it on. */
export interface TransferableSemaphore {
  /** Its id in the native layer. */
  readonly id: number;
  readonly address: SemaphoreAddress;
  /** Marks the semaphore as used by processes that keep no holder records. */
  expose(): void;
  /** Keeps the name alive until `unpin`: a child was given it and has not opened it yet. */
  pin(): void;
  unpin(): void;
}

/** Takes the parts of an object that goes to another process or thread, and returns their addresses there. */
export interface Exporter {
  /** Whether the receiver records, as this package does, which process holds a lock. */
  readonly recorded: boolean;
  /** The serialization for a channel that has none yet. */
  readonly serialization: 'structured' | 'pickle';
  /** Whether one process gets the object, and no thread of this one does. */
  readonly toOneProcess: boolean;
  /** Whether the receiver can continue with the bytes that were read ahead here. */
  readonly continues: boolean;
  /** The native id of the endpoint over which the object goes in a message. */
  readonly endpoint?: number;
  descriptor(fd: number): DescriptorAddress;
  semaphore(semaphore: TransferableSemaphore): SemaphoreAddress;
  /** Registers `undo`, which runs if the object is not passed on after all. */
  onFailure(undo: () => void): void;
  /** Registers what runs when the receiver has opened everything, or can no longer do so. Missing where nothing tells. */
  onSettled?(settled: () => void): void;
}

/** Finds the parts of an object that came from another process or thread. */
export interface Importer {
  /** Returns a descriptor of this process, which the caller owns from then on. */
  descriptor(address: DescriptorAddress): number;
}

/** The device and inode of the file behind a descriptor. */
export function identityOf(fd: number): { device: string; inode: string } {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return { device: String(dev), inode: String(ino) };
}

/** Whether a descriptor is open and leads to the file of the address. */
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

/** Makes a copy of a descriptor of this process. No object owns the copy yet. */
export function duplicate(fd: number): number {
  const copy = native.duplicate(fd);
  if (copy < 0) throw systemError(copy, 'fcntl', `descriptor ${fd}`);
  return copy;
}
