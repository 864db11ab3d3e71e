// SPDX-License-Identifier: MIT
//
// The receiving half of a channel: the pending receives, the order in which they are served, and the message that has been
// received in part.
import { isLimited, type Limits } from '../../core/deadline.js';
import { BusyError, TimeoutError } from '../../core/errors.js';
import { Fifo } from '../../core/fifo.js';
import { native } from '../../native/addon.js';
import { NOTHING } from '../../event-loop/call-iterator.js';
import type { KeepAlive } from '../../event-loop/keep-alive.js';
import { takeShare, takeTurn, TURN_MS } from '../../event-loop/reactor.js';
import { blockOn, checkInterrupted, flushUnwritten, unwritten } from '../../event-loop/sync-wait.js';
import { Batches, type BatchReceiveOptions, type ReceiveOptions } from './batches.js';
import { isIncomplete, type IncompleteMessage } from './incomplete-message.js';
import { KeptMessages } from './kept-messages.js';
import { isMessage, MessageSource } from './message-source.js';
import { ReceiveRequest, type PendingReceive } from './receive-request.js';
import type { MessageDecoder } from '../../serialization/message-decoder.js';
import { setImmediate } from '../../core/own-turns.js';

const codes = native.status;

/** The options of a channel that concern its messages. */
export interface SourceOptions {
  readonly maxMessageBytes: number;
  readonly views: boolean;
}

/** What a receiver needs from its channel. */
export interface ReceiverOwner {
  /** Asks the channel to call `serve` when something may have arrived. */
  wantRead(): void;
}

export class Receiver {
  readonly #id: number;
  readonly #source: MessageSource;
  readonly #channel: ReceiverOwner;
  readonly #queue = new Fifo<PendingReceive>();
  /** Messages that have been received without all that belongs to them. */
  readonly #kept = new KeptMessages();
  #immediate = false;
  readonly #batches: Batches;

  constructor(id: number, { maxMessageBytes, views }: SourceOptions, channel: ReceiverOwner) {
    this.#id = id;
    this.#source = new MessageSource(id, maxMessageBytes, views);
    this.#batches = new Batches(this.#source, this.#kept);
    this.#channel = channel;
  }

  /** Whether the stream is out of step with its sender: nothing more can be received. */
  get unreadable(): boolean {
    return this.#source.unreadable;
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

  /** A message that needs neither a wait nor a call of the native layer; `NOTHING` if there is none, or others come first. */
  takeNow<T>(decoder: MessageDecoder<T>): T | typeof NOTHING {
    const source = this.#source;
    if (!source.holds || this.#queue.length > 0 || this.#batches.ended || !takeShare(source.length)) return NOTHING;
    const value = source.takeHeld(decoder);
    if (!isIncomplete(decoder, value)) return value;
    this.#kept.keep(value);
    return NOTHING;
  }

  /** Receives the messages that are there: at least one, at most `max` and the share of a turn. */
  receiveMany<T>(
    decoder: MessageDecoder<T>,
    options: BatchReceiveOptions,
    limits: Limits,
    owner: object,
    keepAlive: KeepAlive,
  ): Promise<T[]> {
    const attempt = (mayWait: boolean): { value: T[] } | undefined => {
      const before = this.#source.bytesTaken;
      const first = this.#tryMessage(decoder, options, mayWait);
      return first === undefined ? undefined : { value: this.#batches.gather(decoder, options, first.value, before) };
    };
    return this.#request(attempt, options.operation, limits, owner, keepAlive);
  }

  receiveManySync<T>(decoder: MessageDecoder<T>, options: BatchReceiveOptions, deadline: number, spinNs: number): T[] {
    const before = this.#source.bytesTaken;
    const first = this.receiveSync(decoder, options, deadline, spinNs);
    return this.#batches.gather(decoder, options, first, before);
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
    this.#batches.throwPostponed();
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
    const source = this.#source;
    try {
      for (;;) {
        // If no other connection has something left to write, the whole wait is one native call.
        const status =
          unwritten.size > 0
            ? source.next(decoder, maxLength, false)
            : source.nextSync(decoder, maxLength, deadline, spinNs);
        if (isMessage(status)) return source.take(decoder, status);
        if (status === codes.again) this.#block(operation, deadline);
        // Without a deadline it is TCP that has given up.
        else if (status === codes.timedOut && deadline !== Infinity) throw new TimeoutError(operation);
        else if (status !== codes.interrupted) throw source.failure(status, operation, maxLength);
        else checkInterrupted(status, operation);
      }
    } finally {
      source.detach();
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
    this.#source.detach();
    for (const request of ended) request.reject(makeError());
  }

  /** Ends all receives. */
  fail(error: Error): void {
    this.#source.detach();
    for (const request of [...this.#kept.takeBackAll(() => true), ...this.#queue.removeAll()]) request.reject(error);
  }

  /** Whether a receive would make progress without reading from the kernel. */
  get ready(): boolean {
    const message = this.#kept.first;
    if (message !== undefined && (message.waitsElsewhere || message.complete)) return true;
    return this.#batches.postponed || this.#source.ready;
  }

  /** Whether a message was received of which something may still be to come. */
  get keepsMessage(): boolean {
    return this.#kept.first !== undefined;
  }

  /** Gives what was read ahead back to the native layer, for another reader of the stream. */
  giveBack(): void {
    this.#source.giveBack();
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
        this.#source.detach();
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
      if (this.#queue.first === request) this.#source.detach();
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
    this.#batches.throwPostponed();
    if (this.#kept.first !== undefined) {
      refuseBytes(decoder, operation);
      return this.#complete(this.#kept.first, operation) as { value: T } | undefined;
    }
    const status = this.#source.next(decoder, maxLength, mayWait);
    if (isMessage(status)) {
      const value = this.#source.take(decoder, status);
      if (!isIncomplete(decoder, value)) return { value };
      return this.#complete(value, operation) as { value: T } | undefined;
    }
    if (status === codes.again) return undefined;
    throw this.#source.failure(status, operation, maxLength);
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
      this.#source.unreadable = true;
      this.dropIncomplete();
      throw error;
    }
  }

  /** The next descriptor on the stream; undefined if it has not come yet. */
  #nextDescriptor(operation: string): number | undefined {
    const status = this.#source.nextDescriptor();
    if (status >= 0) return status;
    if (status === codes.again) return undefined;
    throw this.#source.failure(status, operation, Infinity);
  }

  /** Gives up an incomplete message. */
  dropIncomplete(): void {
    this.#kept.drop();
  }

  #tryHandle(operation: string): { value: number } | undefined {
    this.#batches.throwPostponed();
    if (this.#kept.first !== undefined) throw new BusyError(`${operation}: an object is being received, by recv()`);
    const fd = this.#nextDescriptor(operation);
    return fd === undefined ? undefined : { value: fd };
  }

  #refuseIfBusy(operation: string): void {
    if (this.pending) throw new BusyError(`${operation}: an asynchronous receive is pending on this connection`);
  }

  #block(operation: string, deadline: number): void {
    const { expired } = blockOn([native.fileno(this.#id)], deadline, operation);
    if (expired) throw new TimeoutError(operation);
  }
}

/** The rest of an object cannot be received as bytes. */
function refuseBytes(decoder: MessageDecoder<unknown>, operation: string): void {
  if (decoder.mayBeIncomplete !== true) throw new BusyError(`${operation}: an object is being received, by recv()`);
}
