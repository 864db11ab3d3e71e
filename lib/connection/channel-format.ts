// SPDX-License-Identifier: MIT
import { NotSupported, UnpicklingError } from '../core/errors.js';
import { ownCopy } from '../core/own-bytes.js';
import { MessageContext } from '../reduction/attachments.js';
import { hasSharedViews } from '../reduction/shared-views.js';
import type { MessageDecoder } from '../serialization/message-decoder.js';
import { DecodeContext, DeferredMessage } from './ticketed-message.js';
import { builtIn, codecFor, kindOf, type Codec } from '../serialization/codec.js';
import type { BuiltInSerialization } from '../serialization/format-types.js';
import type { BorrowedBytes } from '../serialization/borrowed-bytes.js';
import { IncompleteMessage } from './receiving/incomplete-message.js';
import { IncomingObjectMessage, isObjectMessage, makeMessage } from './object-message.js';
import { serializeBorrowed } from '../serialization/structured/format.js';

/** The first byte of what V8's serializer writes. No pickle begins with it. */
const STRUCTURED_MAGIC = 0xff;

/**
 * The format of the objects on a channel, shared by all Connections that must agree on it: the two ends of a `Pipe()`
 * in this process, and their `dup()`s.
 *
 * A format that the user chose never changes. Otherwise the format stays open until the first object is sent or
 * received, so that the channel can still become one of pickles when Python gets an end of it. The format is fixed when
 * an object is encoded or decoded, not when a receive is called.
 */
export class ChannelFormat implements Codec {
  readonly #adopted: boolean;
  /** Whether Connections in received pickles are collected from their senders. */
  readonly takesConnections: boolean;
  #codec: Codec | undefined;
  #kind: BuiltInSerialization | 'custom' | undefined;

  /**
   * @param option The user's `serialization`, which is checked.
   * @param adopted Whether the other end may belong to a program of any language: then the first message, if it comes
   *   before anything is sent, tells which format that program uses.
   * @param takesConnections Default: not if it is adopted, since its peer may be anything.
   */
  constructor(option: unknown, adopted: boolean, takesConnections = !adopted) {
    this.#adopted = adopted;
    this.takesConnections = takesConnections;
    if (option === undefined) return;
    this.#codec = codecFor(option);
    this.#kind = kindOf(option);
  }

  /** The format, or undefined while it is open. */
  get kind(): BuiltInSerialization | 'custom' | undefined {
    return this.#kind;
  }

  /** Fixes the format, if it is still open. True if the channel has this format now. */
  fix(kind: BuiltInSerialization): boolean {
    if (this.#codec === undefined) {
      this.#codec = builtIn[kind];
      this.#kind = kind;
    }
    return this.#kind === kind;
  }

  /** If it throws, the caller undoes what was done for the message. */
  encode(value: unknown, context = new MessageContext()): Uint8Array {
    const codec = this.#codec;
    if (codec !== undefined && this.#kind !== 'structured') return codec.encode(value, context);
    // A value that cannot be serialised leaves the format open, since nothing is sent.
    const bytes = encodeStructured(value, context);
    this.fix('structured');
    return bytes;
  }

  /**
   * As `encode`, but without a copy of a large Buffer: the message must be used before the caller's code runs again.
   */
  encodeBorrowed(value: unknown, context: MessageContext): Uint8Array | BorrowedBytes {
    const borrowed = this.#kind === undefined || this.#kind === 'structured' ? serializeBorrowed(value) : undefined;
    if (borrowed === undefined) return this.encode(value, context);
    this.fix('structured');
    return borrowed;
  }

  fromBorrowed(memory: Buffer, length: number): unknown {
    return openHere(this.forReceiver.fromBorrowed(memory, length));
  }

  fromOwned(message: Buffer): unknown {
    return openHere(this.forReceiver.fromOwned(message));
  }

  /** The same for a receiver, which can complete a message: the result may be an IncompleteMessage. */
  readonly forReceiver: MessageDecoder<unknown> = {
    mayBeIncomplete: true,
    fromBorrowed: (memory, length) => {
      const codec = this.#codec ?? this.#decide(memory, length);
      if (this.#kind === 'pickle' && this.takesConnections) {
        const context = new DecodeContext();
        const value = codec.fromBorrowed(memory, length, context);
        if (context.tickets === undefined) return value;
        return new DeferredMessage(context.tickets, codec, ownCopy(memory, 0, length));
      }
      if (this.#kind === 'structured' && isObjectMessage(memory, length)) {
        // The borrowed memory is used again before the descriptors of the message are there.
        return new IncomingObjectMessage(new Uint8Array(memory.subarray(0, length)));
      }
      return codec.fromBorrowed(memory, length);
    },
    fromOwned: (message) => {
      const codec = this.#codec ?? this.#decide(message, message.length);
      if (this.#kind === 'pickle' && this.takesConnections) {
        const context = new DecodeContext();
        const value = codec.fromOwned(message, context);
        return context.tickets === undefined ? value : new DeferredMessage(context.tickets, codec, message);
      }
      const hasObjects = this.#kind === 'structured' && isObjectMessage(message, message.length);
      return hasObjects ? new IncomingObjectMessage(message) : codec.fromOwned(message);
    },
  };

  /** The codec for a received message. Unless the message is empty, it fixes the format. */
  #decide(message: Buffer, length: number): Codec {
    const kind = this.#adopted && length > 0 && message[0] !== STRUCTURED_MAGIC ? 'pickle' : 'structured';
    if (length > 0) this.fix(kind);
    return builtIn[kind];
  }
}

/** The message of a value over a channel that carries bytes alone. */
function encodeStructured(value: unknown, context: MessageContext): Uint8Array {
  const { structured } = builtIn;
  // Otherwise arrays over shared memory would be copied.
  if (!hasSharedViews()) {
    try {
      return structured.encode(value);
    } catch (error) {
      if (!(error instanceof NotSupported)) throw error;
    }
  }
  try {
    const message = makeMessage(value, context, false);
    return message instanceof Uint8Array ? message : message.bytes;
  } catch (error) {
    // Such as an array that is in too many messages.
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    // This says what cannot be sent.
    context.failed();
    return structured.encode(value);
  }
}

/** Without descriptors that are still to come, a message with objects can be opened anywhere. */
export function openHere(value: unknown): unknown {
  if (!(value instanceof IncompleteMessage)) return value;
  if (value.complete) return value.open();
  const which = value.waitsElsewhere ? 'a Connection' : 'a duplex Connection';
  throw new UnpicklingError(`Connections inside of objects are received by recv() of ${which}`);
}
