// SPDX-License-Identifier: MIT
//
// The receiving half of a channel: the pending receives, the order in which they are served, and the message that has been
// received in part.
import { isLimited, millisecondsLeft, type Limits } from '../../core/deadline.js';
import { BusyError, TimeoutError } from '../../core/errors.js';
import { receiveError } from '../../core/status-errors.js';
import { Fifo } from '../../core/fifo.js';
import { LargeMessage } from './large-message.js';
import { native } from '../../native/addon.js';
import type { KeepAlive } from '../../event-loop/keep-alive.js';
import { BYTES_PER_TURN, takeTurn, TURN_MS } from '../../event-loop/reactor.js';
import { blockOn, checkInterrupted, flushUnwritten, listensForSignals, unwritten } from '../../event-loop/sync-wait.js';
import { IncompleteMessage } from './incomplete-message.js';
import { KeptMessages } from './kept-messages.js';
import { ReceiveRequest, type PendingReceive } from './receive-request.js';
import type { MessageDecoder } from '../../serialization/message-decoder.js';

const codes = native.status;

/** Where the native layer puts small messages. It is read before the next native call and never handed out. */
const slab = Buffer.allocUnsafeSlow(native.smallBytes);

/** The name of a receive in errors, and the longest message that it accepts. */
export interface ReceiveOptions {
  readonly operation: string;
  readonly maxLength: number;
}

/** What a receiver needs from its channel. */
export interface ReceiverOwner {
  /** Asks the channel to call `serve` when something may have arrived. */
  wantRead(): void;
}

export class Receiver {
  readonly #id: number;
  readonly #maxMessageBytes: number;
  readonly #channel: ReceiverOwner;
  readonly #queue = new Fifo<PendingReceive>();
  readonly #large = new LargeMessage();
  /** Messages that have been received without all that belongs to them. */
  readonly #kept = new KeptMessages();
  #immediate = false;
  /** Set when the stream is out of step with its sender: nothing more can be received. */
  unreadable = false;

  constructor(id: number, maxMessageBytes: number, channel: ReceiverOwner) {
    this.#id = id;
    this.#maxMessageBytes = maxMessageBytes;
    this.#channel = channel;
  }

  /** Whether a receive waits, for whatever. */
  get pending(): boolean {
    return this.#queue.length > 0 || this.#kept.owned;
  }

  /** Whether a receive waits for what comes over the stream. */
  get wantsRead(): boolean {
    return this.#queue.length > 0 && !this.waitsElsewhere;
  }

  /** Receives one message, after the receives that were called earlier. */
  receive<T>(
    decoder: MessageDecoder<T>,
    options: ReceiveOptions,
    limits: Limits,
    owner: object,
    keepAlive: KeepAlive,
  ): Promise<T> {
    return this.#request(
      (mayWait) => this.#tryMessage(decoder, options, mayWait),
      options.operation,
      limits,
      owner,
      keepAlive,
    );
  }

  /** Receives one descriptor, in the same order. */
  receiveHandle(limits: Limits, owner: object, keepAlive: KeepAlive): Promise<number> {
    return this.#request(() => this.#tryHandle('recvHandle'), 'recvHandle', limits, owner, keepAlive);
  }

  /** Receives a message without waiting; undefined if there is none, or if pending receives come first. */
  tryReceive<T>(decoder: MessageDecoder<T>, options: ReceiveOptions): { value: T } | undefined {
    return this.#queue.length > 0 ? undefined : this.#tryMessage(decoder, options, false);
  }

  receiveSync<T>(decoder: MessageDecoder<T>, options: ReceiveOptions, deadline: number, spinNs: number): T {
    this.#refuseIfBusy(options.operation);
    flushUnwritten();
    if (this.#kept.first !== undefined) {
      refuseBytes(decoder, options.operation);
      return this.#completeSync(this.#kept.first, options.operation, deadline) as T;
    }
    const value = this.#receiveMessageSync(decoder, options, deadline, spinNs);
    if (!isIncomplete(decoder, value)) return value;
    return this.#completeSync(value, options.operation, deadline) as T;
  }

  #receiveMessageSync<T>(
    decoder: MessageDecoder<T>,
    { operation, maxLength }: ReceiveOptions,
    deadline: number,
    spinNs: number,
  ): T {
    try {
      for (;;) {
        // If no other connection has something left to write, the whole wait is one native call.
        const status =
          unwritten.size > 0
            ? this.#nextStatus(decoder, maxLength, false)
            : this.#nextStatusSync(decoder, maxLength, deadline, spinNs);
        if (status >= 0) return decoder.fromBorrowed(slab, status);
        if (status === codes.largeMessage) return decoder.fromOwned(this.#large.take());
        if (status === codes.again) this.#block(operation, deadline);
        else if (status !== codes.interrupted) throw this.#failure(status, operation, maxLength);
        else checkInterrupted(status, operation);
      }
    } finally {
      this.#large.detach();
    }
  }

  receiveHandleSync(deadline: number): number {
    this.#refuseIfBusy('recvHandleSync');
    flushUnwritten();
    for (;;) {
      const done = this.#tryHandle('recvHandleSync');
      if (done !== undefined) return done.value;
      this.#block('recvHandleSync', deadline);
    }
  }

  /** Serves the pending receives, as far as there are messages for them. */
  serve(): void {
    // The receives have had their share of this turn, or will have it at the end of the turn.
    if (this.#immediate) return;
    const end = performance.now() + TURN_MS;
    while (this.#queue.length > 0) {
      if (performance.now() >= end) {
        this.#serveSoon();
        return;
      }
      const first = this.#queue.first as PendingReceive;
      const ended = first.proceed();
      if (!ended && this.wantsRead) return;
      // The owner may have closed as soon as its receive was settled, which has removed the request.
      if (this.#queue.first !== first) continue;
      this.#queue.shift();
      if (!ended) this.#kept.give(first);
    }
  }

  /** Ends the receives of one Connection. */
  reject(owner: object, makeError: () => Error): void {
    const isOf = (request: PendingReceive): boolean => request.owner === owner;
    const ended = [...this.#kept.takeBackAll(isOf), ...this.#queue.removeAll(isOf)];
    this.#large.detach();
    for (const request of ended) request.reject(makeError());
  }

  /** Ends all receives. */
  fail(error: Error): void {
    this.#large.detach();
    for (const request of [...this.#kept.takeBackAll(() => true), ...this.#queue.removeAll()]) request.reject(error);
  }

  /** Whether a receive would make progress without reading from the kernel. */
  get ready(): boolean {
    const message = this.#kept.first;
    return message?.waitsElsewhere === true ? message.complete : native.readReady(this.#id) === 1;
  }

  /** Whether what the next receive waits for does not come over this stream. */
  get waitsElsewhere(): boolean {
    return this.#kept.first?.waitsElsewhere === true;
  }

  #request<T>(
    attempt: (mayWait: boolean) => { value: T } | undefined,
    operation: string,
    limits: Limits,
    owner: object,
    keepAlive: KeepAlive,
  ): Promise<T> {
    const turn = this.#queue.length === 0 && takeTurn();
    if (turn) {
      try {
        const done = attempt(limits.timeout > 0);
        if (done !== undefined) return Promise.resolve(done.value);
      } catch (error) {
        return Promise.reject(error);
      }
      if (limits.timeout <= 0) {
        this.#large.detach();
        return Promise.reject(new TimeoutError(operation));
      }
    }
    const request = new ReceiveRequest(attempt, owner, keepAlive);
    if (isLimited(limits)) this.#limit(request, limits, operation);
    this.#queue.push(request);
    if (turn && this.wantsRead) this.#channel.wantRead();
    else if (this.#queue.length === 1) this.#serveSoon();
    return request.promise;
  }

  #limit<T>(request: ReceiveRequest<T>, limits: Limits, operation: string): void {
    const timeoutError = (): Error => new TimeoutError(operation);
    request.limit(limits, timeoutError, () => {
      if (this.#kept.takeBack(request)) return;
      if (this.#queue.first === request) this.#large.detach();
      this.#queue.remove(request);
    });
  }

  /**
   * Receives that had no turn are served by the loop, since the kernel does not report messages that are held in
   * memory.
   */
  #serveSoon(): void {
    if (this.#immediate) return;
    this.#immediate = true;
    setImmediate(() => {
      this.#immediate = false;
      this.#resume();
    });
  }

  /** Serves the pending receives, and waits for more if they are not all served. */
  #resume(): void {
    this.#kept.settle();
    this.serve();
    if (this.wantsRead) this.#channel.wantRead();
  }

  #tryMessage<T>(
    decoder: MessageDecoder<T>,
    { operation, maxLength }: ReceiveOptions,
    mayWait: boolean,
  ): { value: T } | undefined {
    if (this.#kept.first !== undefined) {
      refuseBytes(decoder, operation);
      return this.#complete(this.#kept.first, operation) as { value: T } | undefined;
    }
    const status = this.#nextStatus(decoder, maxLength, mayWait);
    if (status >= 0 || status === codes.largeMessage) {
      const value = status >= 0 ? decoder.fromBorrowed(slab, status) : decoder.fromOwned(this.#large.take());
      if (!isIncomplete(decoder, value)) return { value };
      return this.#complete(value, operation) as { value: T } | undefined;
    }
    if (status === codes.again) return undefined;
    throw this.#failure(status, operation, maxLength);
  }

  /** Goes on with a message as far as it can without waiting. It stays here while something is missing. */
  #complete(message: IncompleteMessage, operation: string): { value: unknown } | undefined {
    this.#kept.keep(message);
    const complete = message.advance(
      () => this.#descriptorOfMessage(operation),
      () => this.#resume(),
    );
    if (!complete) return undefined;
    // Before it is opened, which may run code of the user that receives or closes.
    this.#kept.shift();
    return { value: message.open() };
  }

  #completeSync(message: IncompleteMessage, operation: string, deadline: number): unknown {
    this.#kept.keep(message);
    const nextDescriptor = (): number => {
      for (;;) {
        const fd = this.#descriptorOfMessage(operation);
        if (fd !== undefined) return fd;
        this.#block(operation, deadline);
      }
    };
    message.advanceSync(nextDescriptor, operation, deadline);
    this.#kept.shift();
    return message.open();
  }

  #descriptorOfMessage(operation: string): number | undefined {
    try {
      return this.#nextDescriptor(operation);
    } catch (error) {
      // What comes next on the stream may be anything.
      this.unreadable = true;
      this.dropIncomplete();
      throw error;
    }
  }

  /** The next descriptor on the stream; undefined if it has not come yet. */
  #nextDescriptor(operation: string): number | undefined {
    const status = native.receiveDescriptor(this.#id);
    if (status >= 0) return status;
    if (status === codes.again) return undefined;
    throw this.#failure(status, operation, Infinity);
  }

  /** Gives up an incomplete message. */
  dropIncomplete(): void {
    this.#kept.drop();
  }

  #tryHandle(operation: string): { value: number } | undefined {
    if (this.#kept.first !== undefined) throw new BusyError(`${operation}: an object is being received, by recv()`);
    const fd = this.#nextDescriptor(operation);
    return fd === undefined ? undefined : { value: fd };
  }

  /** The length of a small message in the slab, `largeMessage` when `#large` is whole, `again`, or another failure. */
  #nextStatus<T>(decoder: MessageDecoder<T>, maxLength: number, mayWait: boolean): number {
    const status = native.receive(this.#id, slab, maxLength, mayWait);
    if (status !== codes.largeMessage) return status;
    this.#beginLarge(decoder);
    return this.#fillLarge((bytes) => native.receiveLarge(this.#id, bytes, BYTES_PER_TURN));
  }

  #nextStatusSync<T>(decoder: MessageDecoder<T>, maxLength: number, deadline: number, spinNs: number): number {
    // Looking for listeners of signals costs more than it saves, unless the call is likely to sleep.
    const uninterrupted = spinNs === 0 && deadline === Infinity && !listensForSignals();
    const left = millisecondsLeft(deadline);
    const status = native.receiveSync(this.#id, slab, maxLength, left, spinNs, uninterrupted);
    if (status !== codes.largeMessage) return status;
    this.#beginLarge(decoder);
    const quiet = deadline === Infinity && !listensForSignals();
    return this.#fillLarge((bytes) => native.receiveLargeSync(this.#id, bytes, millisecondsLeft(deadline), quiet));
  }

  /** A message is read straight into the caller's memory. If the receive ends early, what has come is moved to other memory. */
  #beginLarge<T>(decoder: MessageDecoder<T>): void {
    if (!this.#large.begun) this.#large.borrow(decoder.destination?.(native.messageLength(this.#id)));
  }

  #fillLarge(read: (bytes: Buffer) => number): number {
    return this.#large.fill(native.messageLength(this.#id), read);
  }

  #failure(status: number, operation: string, maxLength: number): Error {
    if (status === codes.badLength || status === codes.tooLong || status === codes.unexpectedDescriptor) {
      this.unreadable = true;
      this.#large.drop();
    } else if (status === codes.truncated) {
      this.#large.drop();
    }
    return receiveError(status, this.#id, operation, Math.min(maxLength, this.#maxMessageBytes));
  }

  #refuseIfBusy(operation: string): void {
    if (this.pending) throw new BusyError(`${operation}: an asynchronous receive is pending on this connection`);
  }

  #block(operation: string, deadline: number): void {
    const { expired } = blockOn([native.fileno(this.#id)], deadline, operation);
    if (expired) throw new TimeoutError(operation);
  }
}

/** Whether a decoder's result is a message of which something is still to come. */
function isIncomplete(decoder: MessageDecoder<unknown>, value: unknown): value is IncompleteMessage {
  return decoder.mayBeIncomplete === true && value instanceof IncompleteMessage;
}

/** The rest of an object cannot be received as bytes. */
function refuseBytes(decoder: MessageDecoder<unknown>, operation: string): void {
  if (decoder.mayBeIncomplete !== true) throw new BusyError(`${operation}: an object is being received, by recv()`);
}
