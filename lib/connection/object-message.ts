// SPDX-License-Identifier: MIT
//
// A message of a value with objects of this package in it, between Node processes over a socket. The message holds the
// value taken apart. The descriptors that the objects need follow it, one by one, as `sendHandle` sends them.
import { IncompleteMessage } from './receiving/incomplete-message.js';
import { EOFError, TruncatedMessageError, UnpicklingError } from '../core/errors.js';
import { checkInteger } from '../core/validate.js';
import { native } from '../native/addon.js';
import { AttachedDescriptors, Attachments, NoAttachments, type MessageContext } from '../reduction/attachments.js';
import { builtIn } from '../serialization/codec.js';
import { checkGraph, type ObjectGraph } from '../serialization/structured/object-graph.js';
import { rebuildValue, reduceMessage } from '../serialization/structured/reduce-value.js';

/** V8's own messages have the number of their format, which is not 0, in the second byte. */
const MARK = Buffer.of(0xff, 0);

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

/**
 * Makes the message of a value: bytes if there is no object of this package in it. Throws as `reduceMessage` does.
 *
 * @param carries Whether the channel carries descriptors.
 * @returns If it is bytes, their memory may be used again for the next message.
 */
export function makeMessage(
  value: unknown,
  context: MessageContext,
  carries = true,
): Uint8Array | OutgoingObjectMessage {
  let attachments: Attachments | undefined;
  const reduced = reduceMessage(
    value,
    'value',
    () => (attachments = carries ? new Attachments(context) : new NoAttachments(context)),
  );
  if (reduced instanceof Uint8Array || attachments === undefined) return reduced as Uint8Array;
  const { fds } = attachments;
  const bytes = Buffer.concat([MARK, builtIn.structured.encode({ ...reduced, descriptors: fds.length })]);
  return { bytes, fds, failed: () => context.failed() };
}

/** A message with objects that has been received, up to its descriptors, which follow on the same stream. */
export class IncomingObjectMessage extends IncompleteMessage {
  readonly waitsElsewhere = false;
  readonly #graph: ObjectGraph;
  /** How many descriptors belong to it. */
  readonly #count: number;
  readonly #fds: number[] = [];

  /** @param bytes The message. What is made of it refers to these bytes. */
  constructor(bytes: Uint8Array) {
    super();
    try {
      const { buffer, byteOffset, byteLength } = bytes;
      const message = Buffer.from(buffer, byteOffset + MARK.length, byteLength - MARK.length);
      const content = builtIn.structured.fromOwned(message);
      this.#graph = checkGraph(content);
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
    const attached = new AttachedDescriptors(this.#fds.splice(0));
    try {
      return rebuildValue(this.#graph, attached);
    } catch (error) {
      throw new UnpicklingError(`Objects in a message cannot be used here: ${(error as Error).message}`, {
        cause: error,
      });
    } finally {
      attached.closeRest();
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
