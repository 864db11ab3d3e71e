// SPDX-License-Identifier: MIT
//
// A message of a value with objects of this package in it, between Node processes over a socket. The message holds the
// value taken apart. The descriptors that the objects need follow it, one by one, as `sendHandle` sends them.
import { deserialize, serialize } from 'node:v8';

import { IncompleteMessage } from './incomplete-message.js';
import { argumentError, EOFError, TruncatedMessageError, UnpicklingError } from '../core/errors.js';
import { checkInteger } from '../core/validate.js';
import { native } from '../native/addon.js';
import type { SharedValue } from '../reduction/object-graph.js';
import { Cargo, takeFrom, type Giving, type Taking } from '../reduction/transfer.js';

/** V8's own messages have the number of their format, which is not 0, in the second byte. */
const MARK = Buffer.of(0xff, 0);

/** How values are taken apart and put together. Filled in by reduce-value.ts. */
export const packing = {} as {
  give(value: unknown, name: string, giving: Giving): SharedValue;
  take(shared: SharedValue, taking: Taking): unknown;
};

/** Whether the first `length` bytes of `memory`, a message in V8's format, are a message with objects. */
export function isObjectMessage(memory: Uint8Array, length: number): boolean {
  return length > 1 && memory[0] === 0xff && memory[1] === 0;
}

/** A message with objects that is to be sent. */
export interface OutgoingObjectMessage {
  readonly bytes: Uint8Array;
  readonly fds: readonly number[];
  /** Nothing of it will arrive: what was taken along from Connections is put back. */
  failed(): void;
}

/** Makes the message of a value. Throws as `giveValue` does. */
export function makeObjectMessage(value: unknown): OutgoingObjectMessage {
  const cargo = new Cargo();
  try {
    const shared = packing.give(value, 'value', cargo);
    const bytes = Buffer.concat([MARK, serialize({ ...shared, descriptors: cargo.fds.length })]);
    return { bytes, fds: cargo.fds, failed: () => cargo.failed() };
  } catch (error) {
    cargo.failed();
    throw error;
  }
}

/** A message with objects that has been received, up to its descriptors, which follow on the same stream. */
export class IncomingObjectMessage extends IncompleteMessage {
  readonly waitsElsewhere = false;
  readonly #shared: SharedValue;
  /** How many descriptors belong to it. */
  readonly #count: number;
  readonly #fds: number[] = [];

  /** @param bytes The message. What is made of it refers to these bytes. */
  constructor(bytes: Uint8Array) {
    super();
    try {
      const content: unknown = deserialize(bytes.subarray(MARK.length));
      this.#shared = checkShared(content);
      const { descriptors } = content as { descriptors: unknown };
      checkInteger(descriptors, 'descriptors', 0, 0xffff);
      this.#count = descriptors;
    } catch (error) {
      const reason = (error as Error).message;
      throw new UnpicklingError(`A message of ${bytes.length} bytes cannot be decoded (structured): ${reason}`, {
        cause: error,
      });
    }
  }

  get complete(): boolean {
    return this.#fds.length === this.#count;
  }

  advance(nextDescriptor: () => number | undefined): boolean {
    while (!this.complete) {
      const fd = this.#receive(nextDescriptor);
      if (fd === undefined) return false;
      this.#fds.push(fd);
    }
    return true;
  }

  advanceSync(nextDescriptor: () => number): void {
    while (!this.complete) this.#fds.push(this.#receive(nextDescriptor));
  }

  /** Puts the value together. Fails as decoding any message does. */
  open(): unknown {
    const taking = takeFrom(this.#fds.splice(0));
    try {
      return packing.take(this.#shared, taking);
    } catch (error) {
      throw new UnpicklingError(`Objects in a message cannot be used here: ${(error as Error).message}`, {
        cause: error,
      });
    } finally {
      taking.closeRest();
    }
  }

  drop(): void {
    for (const fd of this.#fds.splice(0)) native.closeDescriptor(fd);
  }

  /** An end of the stream before the last descriptor is one inside the message. */
  #receive<T>(nextDescriptor: () => T): T {
    const received = this.#fds.length;
    try {
      return nextDescriptor();
    } catch (error) {
      throw error instanceof EOFError ? new TruncatedMessageError(received, this.#count) : error;
    }
  }
}

/**
 * Checks the outer form of what was received. The descriptions of objects are checked when the objects are attached.
 */
function checkShared(value: unknown): SharedValue {
  const { magic, objects, value: bytes } = (value ?? {}) as Partial<SharedValue>;
  const lists = Array.isArray(objects) && objects.length === 2 && objects.every(Array.isArray);
  if (magic instanceof Uint8Array && bytes instanceof Uint8Array && lists) return { magic, objects, value: bytes };
  throw argumentError('type', 'the message was not made by this package');
}
