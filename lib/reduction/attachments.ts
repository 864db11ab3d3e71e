// SPDX-License-Identifier: MIT
//
// Objects that travel with a message.
import { constants } from 'node:os';

import { NotSupported, systemError } from '../core/errors.js';
import { native } from '../native/addon.js';
import {
  exportSemaphore,
  type DescriptorAddress,
  type Exporter,
  type Importer,
  type SemaphoreAddress,
  type TransferableSemaphore,
} from './exporters.js';

/** Carries large arrays beside the messages of a channel. */
export interface ArrayCarrier {
  /** What stands for an array in the message; undefined if the array has to be part of it. */
  put(object: object, context: MessageContext): object | undefined;
  /** The array of which a message says where it is. The arguments are not checked yet. */
  take(at: unknown, kind: unknown, shape: unknown): object;
}

/** One message, while it is made and on its way. */
export class MessageContext {
  carrier: ArrayCarrier | undefined;
  /** The native id of the endpoint over which it goes; -1 if that is not known. */
  readonly endpoint: number;
  #undo: (() => void)[] | undefined;
  #settled: (() => void)[] | undefined;

  constructor(endpoint = -1) {
    this.endpoint = endpoint;
  }

  /** Calls `undo` if the message cannot be encoded, sent, or decoded, after all. */
  onFailure(undo: () => void): void {
    (this.#undo ??= []).push(undo);
  }

  /** Calls `settled` when no process can receive the message any more, as far as that is known here. */
  onSettled(settled: () => void): void {
    (this.#settled ??= []).push(settled);
  }

  /** Whether it holds something as long as it can be received. */
  get holds(): boolean {
    return this.#settled !== undefined;
  }

  /** Undoes what was done for the message. */
  failed(): void {
    for (const undo of this.#undo?.splice(0) ?? []) undo();
  }

  /** Gives up what the message holds. Harmless if it was received. */
  settled(): void {
    for (const settled of this.#settled?.splice(0) ?? []) settled();
  }
}

/** Collects the descriptors that travel with a message. */
export class Attachments implements Exporter {
  readonly recorded = true;
  readonly serialization = 'structured';
  readonly toOneProcess = true;
  readonly continues = true;
  readonly #context: MessageContext;
  /** The descriptors of this process, in the order of their numbers in the message. */
  readonly fds: number[] = [];

  constructor(context: MessageContext) {
    this.#context = context;
  }

  get endpoint(): number {
    return this.#context.endpoint;
  }

  descriptor(fd: number): DescriptorAddress {
    return { fd: this.fds.push(fd) - 1 };
  }

  semaphore(semaphore: TransferableSemaphore): SemaphoreAddress {
    return exportSemaphore(semaphore, this);
  }

  onFailure(undo: () => void): void {
    this.#context.onFailure(undo);
  }

  onSettled(settled: () => void): void {
    this.#context.onSettled(settled);
  }
}

/** For a channel of bytes alone, over which only what has a name can go. */
export class NoAttachments extends Attachments {
  override descriptor(): never {
    throw new NotSupported('The channel carries no descriptors');
  }

  override semaphore(): never {
    throw new NotSupported('Semaphores are sent over duplex connections only');
  }
}

/** Finds the descriptors that arrived with a message, and closes those that the message does not name. */
export class AttachedDescriptors implements Importer {
  readonly #rest: Map<number, number>;

  /** @param fds The descriptors, in the order of their numbers in the message. */
  constructor(fds: readonly number[]) {
    this.#rest = new Map(fds.entries());
  }

  descriptor(address: DescriptorAddress): number {
    const fd = this.#rest.get(address.fd);
    if (fd === undefined) throw systemError(-constants.errno.EBADF, 'recvmsg', 'the message lacks a descriptor');
    this.#rest.delete(address.fd);
    return fd;
  }

  closeRest(): void {
    for (const fd of this.#rest.values()) native.closeDescriptor(fd);
  }
}
