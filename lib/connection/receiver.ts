// SPDX-License-Identifier: MIT
//
// The receiving half of a channel: who waits, in which order they are served, and the large message that is on its way.
import { millisecondsLeft, startLimits, type Limits } from '../core/deadline.js';
import { BusyError, InterruptedError, receiveError, TimeoutError, TruncatedMessageError } from '../core/errors.js';
import { Fifo } from '../core/fifo.js';
import { LargeMessage } from './large-message.js';
import { native } from '../native/addon.js';
import type { KeepAlive } from '../event-loop/keep-alive.js';
import { BYTES_PER_TURN, OPERATIONS_PER_TURN, takeTurn } from '../event-loop/reactor.js';
import { blockOn, checkInterrupted, flushUnwritten, listensForSignals, unwritten } from '../event-loop/sync-wait.js';
import { Request, type Waiting } from './receive-request.js';
import { DeferredMessage } from './deferred-message.js';
import { openParcel, Parcel } from './object-message.js';
import type { MessageDecoder } from '../serialization/message-decoder.js';

const codes = native.status;

/** Where the native layer puts small messages. It is read before the next native call and never handed out. */
const slab = Buffer.allocUnsafeSlow(native.smallBytes);

/** What a receive is called in errors, and the longest message it accepts. */
export interface ReceiveOptions {
  readonly operation: string;
  readonly maxLength: number;
}

/** What a receiver asks of its channel. */
export interface ReceiverOwner {
  /** To call `serve` when something may have arrived. */
  wantRead(): void;
}

/** A message that is there without its descriptors. */
type Part = Parcel | DeferredMessage;

function isPart(value: unknown): value is Part {
  return value instanceof Parcel || value instanceof DeferredMessage;
}

export class Receiver {
  readonly #id: number;
  readonly #maxMessageBytes: number;
  readonly #channel: ReceiverOwner;
  readonly #queue = new Fifo<Waiting>();
  readonly #large = new LargeMessage();
  /** A message that has arrived while its descriptors have not all come. */
  #incomplete: { readonly parcel: Parcel; readonly fds: number[] } | undefined;
  /** A message that has arrived while its descriptors are collected elsewhere. */
  #claimed: DeferredMessage | undefined;
  #immediate = false;
  /** Set when the stream is out of step with its sender: nothing more can be received. */
  unreadable = false;

  constructor(id: number, maxMessageBytes: number, channel: ReceiverOwner) {
    this.#id = id;
    this.#maxMessageBytes = maxMessageBytes;
    this.#channel = channel;
  }

  get pending(): boolean {
    return this.#queue.length > 0;
  }

  /** Receives one message, after those who asked earlier. */
  receive<T>(
    take: MessageDecoder<T>,
    options: ReceiveOptions,
    limits: Limits,
    owner: object,
    hold: KeepAlive,
  ): Promise<T> {
    return this.#request((mayWait) => this.#tryMessage(take, options, mayWait), options.operation, limits, owner, hold);
  }

  /** Receives one descriptor, in the same order. */
  receiveHandle(limits: Limits, owner: object, hold: KeepAlive): Promise<number> {
    return this.#request(() => this.#tryHandle('recvHandle'), 'recvHandle', limits, owner, hold);
  }

  /** A message that can be had without waiting; undefined if there is none or others wait for it. */
  tryReceive<T>(take: MessageDecoder<T>, options: ReceiveOptions): { value: T } | undefined {
    return this.pending ? undefined : this.#tryMessage(take, options, false);
  }

  receiveSync<T>(take: MessageDecoder<T>, options: ReceiveOptions, deadline: number, spinNs: number): T {
    this.#refuseIfBusy(options.operation);
    flushUnwritten();
    if (this.#rest !== undefined) {
      refuseBytes(take, options.operation);
      return this.#completeSync(this.#rest, options.operation, deadline) as T;
    }
    for (;;) {
      // With nothing left to write elsewhere the whole wait is one native call.
      const status =
        unwritten.size > 0
          ? this.#nextStatus(options.maxLength, false)
          : this.#nextStatusSync(take, options.maxLength, deadline, spinNs);
      if (status >= 0 || status === codes.largeMessage) {
        const value = status >= 0 ? take.fromBorrowed(slab, status) : take.fromOwned(this.#large.take());
        return isPart(value) ? (this.#completeSync(value, options.operation, deadline) as T) : value;
      }
      if (status === codes.again) this.#block(options.operation, deadline);
      else if (status !== codes.interrupted) throw this.#failure(status, options.operation, options.maxLength);
      else checkInterrupted(status, options.operation);
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

  /** Serves those who wait, as far as there is something for them. */
  serve(): void {
    // They have had their share of this turn, or will have it at the end of the turn.
    if (this.#immediate) return;
    for (let turn = 0; this.#queue.length > 0; turn++) {
      if (turn === OPERATIONS_PER_TURN) {
        this.#serveSoon();
        return;
      }
      const first = this.#queue.first as Waiting;
      if (!first.attempt()) return;
      // The request may have been the last thing that its owner waited for before closing.
      if (this.#queue.first === first) this.#queue.shift();
    }
  }

  /** Ends the receives of one Connection. */
  reject(owner: object, makeError: () => Error): void {
    const ended = this.#queue.take((request) => request.owner === owner);
    for (const request of ended) request.fail(makeError());
  }

  /** Ends all receives. */
  fail(error: Error): void {
    for (const request of this.#queue.take()) request.fail(error);
  }

  /** Whether a receive would make progress without reading from the kernel. */
  get ready(): boolean {
    return this.#claimed !== undefined ? this.#claimed.complete : native.readReady(this.#id) === 1;
  }

  /** Whether what is there now has to wait for something that comes another way. */
  get waitsElsewhere(): boolean {
    return this.#claimed !== undefined;
  }

  #request<T>(
    attempt: (mayWait: boolean) => { value: T } | undefined,
    operation: string,
    limits: Limits,
    owner: object,
    hold: KeepAlive,
  ): Promise<T> {
    const turn = this.#queue.length === 0 && takeTurn();
    if (turn) {
      try {
        const done = attempt(limits.timeout > 0);
        if (done !== undefined) return Promise.resolve(done.value);
      } catch (error) {
        return Promise.reject(error);
      }
      if (limits.timeout <= 0) return Promise.reject(new TimeoutError(operation));
    }
    return new Promise<T>((resolve, reject) => {
      const request = new Request(attempt, owner, hold, resolve, reject);
      if (limits.signal !== undefined || limits.timeout !== Infinity) {
        const timeoutError = (): Error => new TimeoutError(operation);
        request.cancel = startLimits(limits, hold.on, timeoutError, (error) => {
          this.#queue.remove(request);
          request.cancel = undefined;
          request.fail(error);
        });
      }
      this.#queue.push(request);
      if (turn && !this.waitsElsewhere) this.#channel.wantRead();
      else if (this.#queue.length === 1) this.#serveSoon();
    });
  }

  /** What is held in memory is not reported by the kernel, so those who had no turn are served by the loop itself. */
  #serveSoon(): void {
    if (this.#immediate) return;
    this.#immediate = true;
    setImmediate(() => {
      this.#immediate = false;
      this.serve();
      if (this.pending && !this.waitsElsewhere) this.#channel.wantRead();
    });
  }

  #tryMessage<T>(
    take: MessageDecoder<T>,
    { operation, maxLength }: ReceiveOptions,
    mayWait: boolean,
  ): { value: T } | undefined {
    if (this.#rest !== undefined) {
      refuseBytes(take, operation);
      return this.#complete(this.#rest, operation) as { value: T } | undefined;
    }
    const status = this.#nextStatus(maxLength, mayWait);
    if (status >= 0 || status === codes.largeMessage) {
      const value = status >= 0 ? take.fromBorrowed(slab, status) : take.fromOwned(this.#large.take());
      return isPart(value) ? (this.#complete(value, operation) as { value: T } | undefined) : { value };
    }
    if (status === codes.again) return undefined;
    throw this.#failure(status, operation, maxLength);
  }

  /** The message that others go on with. */
  get #rest(): Part | undefined {
    return this.#claimed ?? this.#incomplete?.parcel;
  }

  /** Takes the descriptors that belong to a message. What has come stays here if the rest is yet to come. */
  #complete(part: Part, operation: string): { value: unknown } | undefined {
    return part instanceof Parcel ? this.#completeParcel(part, operation) : this.#completeClaimed(part);
  }

  #completeClaimed(message: DeferredMessage): { value: unknown } | undefined {
    this.#claimed = message;
    if (!message.complete) {
      message.start(() => {
        this.serve();
        if (this.pending && !this.waitsElsewhere) this.#channel.wantRead();
      });
      return undefined;
    }
    this.#claimed = undefined;
    return { value: message.open() };
  }

  #completeParcel(parcel: Parcel, operation: string): { value: unknown } | undefined {
    const { fds } = (this.#incomplete ??= { parcel, fds: [] });
    while (fds.length < parcel.descriptors) {
      const status = native.receiveDescriptor(this.#id);
      if (status === codes.again) return undefined;
      if (status < 0) {
        // What comes next may be anything.
        this.unreadable = true;
        this.dropIncomplete();
        if (status === codes.endOfFile) throw new TruncatedMessageError(fds.length, parcel.descriptors);
        throw this.#failure(status, operation, Infinity);
      }
      fds.push(status);
    }
    this.#incomplete = undefined;
    return { value: openParcel(parcel, fds) };
  }

  #completeSync(part: Part, operation: string, deadline: number): unknown {
    if (part instanceof DeferredMessage) {
      if (part.started && !part.complete) {
        throw new BusyError(`${operation}: an asynchronous receive has begun with this message`);
      }
      this.#claimed = part;
      try {
        part.collectSync(deadline);
      } catch (error) {
        if (!(error instanceof TimeoutError || error instanceof InterruptedError)) this.dropIncomplete();
        throw error;
      }
    }
    for (;;) {
      const done = this.#complete(part, operation);
      if (done !== undefined) return done.value;
      this.#block(operation, deadline);
    }
  }

  /** Nobody will ask for the rest of it. */
  dropIncomplete(): void {
    for (const fd of this.#incomplete?.fds ?? []) native.closeDescriptor(fd);
    this.#incomplete = undefined;
    this.#claimed?.drop();
    this.#claimed = undefined;
  }

  #tryHandle(operation: string): { value: number } | undefined {
    if (this.#rest !== undefined) throw new BusyError(`${operation}: an object is being received, by recv()`);
    const status = native.receiveDescriptor(this.#id);
    if (status >= 0) return { value: status };
    if (status === codes.again) return undefined;
    throw this.#failure(status, operation, Infinity);
  }

  /** The length of a small message in the slab, `largeMessage` when `#large` is whole, `again`, or another failure. */
  #nextStatus(maxLength: number, mayWait: boolean): number {
    const status = native.receive(this.#id, slab, maxLength, mayWait);
    if (status !== codes.largeMessage) return status;
    return this.#fillLarge((bytes) => native.receiveLarge(this.#id, bytes, BYTES_PER_TURN));
  }

  #nextStatusSync<T>(take: MessageDecoder<T>, maxLength: number, deadline: number, spinNs: number): number {
    // Looking for listeners costs more than it spares unless the call is likely to sleep.
    const uninterrupted = spinNs === 0 && deadline === Infinity && !listensForSignals();
    const left = millisecondsLeft(deadline);
    const status = native.receiveSync(this.#id, slab, maxLength, left, spinNs, uninterrupted);
    if (status !== codes.largeMessage) return status;
    // No JavaScript runs during a blocking call, so it may use the caller's memory; what has come by the time it gives up
    // is kept elsewhere.
    if (!this.#large.begun) this.#large.use(take.destination?.(native.messageLength(this.#id)));
    const quiet = deadline === Infinity && !listensForSignals();
    const done = this.#fillLarge((bytes) => {
      return native.receiveLargeSync(this.#id, bytes, millisecondsLeft(deadline), quiet);
    });
    if (done !== codes.largeMessage && take.destination !== undefined) this.#large.detach();
    return done;
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

/** A message of which descriptors are still to come is no bytes. */
function refuseBytes(take: MessageDecoder<unknown>, operation: string): void {
  if (take.mayBeIncomplete !== true) throw new BusyError(`${operation}: an object is being received, by recv()`);
}
