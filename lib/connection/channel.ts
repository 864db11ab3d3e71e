// SPDX-License-Identifier: MIT
//
// A channel is one endpoint, as this environment uses it. Its users are Connections (of which dup() makes several) and
// queues. It keeps the descriptor open until the last user is gone and its sends are written.
import { argumentError, BusyError, systemError } from '../core/errors.js';
import { flushAtExit } from '../event-loop/exit.js';
import { native, READ, WRITE } from '../native/addon.js';
import { arm, ensureStarted, spinBeforeSleep, type Pollable } from '../event-loop/reactor.js';
import type { ChannelOptions, Direction } from './options.js';
import { Receiver, type ReceiverOwner } from './receiving/receiver.js';
import { SendBuffer } from './sending/send-buffer.js';
import type { SenderOwner } from './sending/delivery.js';
import { Sender } from './sending/sender.js';

const byHand =
  '; a program that takes this descriptor over from its parent cannot be run by hand: the parent lists the pipe in stdio';

/** One endpoint of a pipe or socketpair. */
export class Channel implements Pollable, ReceiverOwner, SenderOwner {
  readonly id: number;
  readonly isSocket: boolean;
  readonly direction: Direction;
  readonly options: ChannelOptions;
  readonly receiver: Receiver;
  readonly sender: Sender;
  /** Called once when the descriptor may be readable, for waits that do not receive. */
  #readWaiters: Set<() => void> | undefined;
  #users = 0;
  /** Whether exactly one other process was given the descriptor, and reads ahead once this one has closed its copy. */
  #hasHeir = false;
  #closed = false;
  #interest = 0;

  /** Makes a pair of channels. For a pipe the first one reads and the second one writes. */
  static pair(socket: boolean, options: ChannelOptions): [Channel, Channel] {
    ensureStarted();
    const ids = new Int32Array(2);
    const status = native.makePair(socket, ids, options.maxMessageBytes, options.readAhead);
    if (status < 0) throw systemError(status, socket ? 'socketpair' : 'pipe');
    const [first, second] = ids as unknown as [number, number];
    return [
      new Channel(first, socket, { readable: true, writable: socket }, options),
      new Channel(second, socket, { readable: socket, writable: true }, options),
    ];
  }

  /**
   * A channel that takes over an open descriptor, in those of its directions that `narrow` chooses.
   *
   * @throws TypeError for a descriptor that is not a pipe or a connected stream socket, `BusyError` for a descriptor
   *   that another channel owns, a system error.
   */
  static adopt(fd: number, options: ChannelOptions, narrow: (can: Direction) => Direction): Channel {
    const found = new Int32Array(5);
    const status = native.describe(fd, found);
    if (status < 0) throw systemError(status, 'fstat', `descriptor ${fd}${byHand}`);
    const [kind, canRead, canWrite, stream, owned] = found;
    if (kind === 2) throw argumentError('type', `fd ${fd} must be a pipe or a socket${byHand}`);
    if (stream === 0)
      throw argumentError('type', `fd ${fd} must be a stream socket, not a datagram or listening socket`);
    if (owned === 1) throw new BusyError(`Descriptor ${fd} already belongs to a Connection`);
    const direction = narrow({ readable: canRead === 1, writable: canWrite === 1 });
    ensureStarted();
    const id = native.adopt(fd, options.maxMessageBytes, options.readAhead);
    if (id < 0) throw systemError(id, 'fcntl');
    return new Channel(id, kind === 1, direction, options);
  }

  private constructor(id: number, socket: boolean, direction: Direction, options: ChannelOptions) {
    this.id = id;
    this.isSocket = socket;
    this.direction = direction;
    this.options = options;
    flushAtExit(options.exitFlushMs);
    this.receiver = new Receiver(id, options, this);
    const { acceptedBytes, exitFlushMs, growsBuffer } = options;
    if (acceptedBytes > 0) native.accept(id, exitFlushMs);
    this.sender = new Sender(id, this, new SendBuffer(id, growsBuffer), acceptedBytes);
  }

  get fd(): number {
    return native.fileno(this.id);
  }

  get abandoned(): boolean {
    return this.#users === 0;
  }

  addUser(): void {
    this.#users++;
  }

  /** The counterpart of addUser. */
  removeUser(discard: boolean): void {
    this.#users--;
    // A pending wait may belong to the user that leaves. It notices that when it checks again.
    this.#tellReadWaiters();
    if (this.#users > 0) return;
    if (discard) this.sender.discard();
    else this.sender.flush();
    const lost = this.sender.takeLost();
    if (lost !== undefined && !discard) process.emitWarning(lost);
    this.#releaseIfUnused();
  }

  /**
   * The number of the descriptor, for passing it on. Pending sends are written first, as far as there is room. From
   * then on no read goes beyond the current message: another process may be meant to read the next one.
   *
   * @param inherits Whether the new owner is one process, which calls `readAheadOnceAlone` if `hasHeir` is true then.
   */
  passOn(inherits = false): number {
    this.sender.flush();
    const wasAlone = native.stopReadingAhead(this.id) === 1;
    this.#hasHeir = wasAlone && inherits;
    return this.fd;
  }

  get hasHeir(): boolean {
    return this.#hasHeir;
  }

  /** Reads ahead as soon as the process that passed the descriptor on has closed its copy. */
  readAheadOnceAlone(): void {
    native.readAheadOnceAlone(this.id);
  }

  /** Whether a receive would make progress or fail at once. */
  readyToRead(): boolean {
    return this.receiver.ready || native.poll(Int32Array.of(this.fd, READ, 0), 0) > 0;
  }

  /** Calls `callback` once when the descriptor may have become readable. Returns a function that cancels this. */
  onceReadable(callback: () => void): () => void {
    const waiters = (this.#readWaiters ??= new Set());
    waiters.add(callback);
    const failure = this.#setInterest(this.#interest | READ);
    if (failure !== undefined) throw failure;
    return () => waiters.delete(callback);
  }

  onReady(ready: number): void {
    let wanted = 0;
    if ((ready & WRITE) !== 0) this.sender.flush();
    if ((ready & READ) !== 0) {
      // A call waited for this data, so the next message is probably expected too. Staying in the event set then saves
      // removing and adding the descriptor for every message. It is removed once no call waits.
      const taken = this.receiver.wantsRead || this.#readWaiters !== undefined;
      this.#tellReadWaiters();
      this.receiver.serve();
      if (taken && !this.receiver.waitsElsewhere) wanted |= READ;
    } else {
      wanted |= this.#interest & READ;
    }
    if (this.sender.pending) wanted |= WRITE;
    this.#setInterest(wanted);
  }

  wantRead(): void {
    this.#setInterest(this.#interest | READ);
  }

  wantWrite(): void {
    this.#setInterest(this.#interest | WRITE);
  }

  drained(): void {
    this.#releaseIfUnused();
  }

  /** Sets the events to wait for. If the system refuses, the pending calls fail, since they would wait for ever. */
  #setInterest(interest: number): Error | undefined {
    if (this.#closed || interest === this.#interest) return undefined;
    const failure = arm(this, interest);
    const waited = (this.#interest & READ) !== 0;
    this.#interest = failure === undefined ? interest : 0;
    const waits = (this.#interest & READ) !== 0;
    const { asyncSpinNs } = this.options;
    if (waits !== waited && asyncSpinNs > 0) spinBeforeSleep(asyncSpinNs, waits);
    if (failure !== undefined) {
      this.receiver.fail(failure);
      this.sender.fail(failure);
    }
    return failure;
  }

  #releaseIfUnused(): void {
    if (this.#users > 0 || this.#closed || this.sender.pending) return;
    this.#setInterest(0);
    this.#closed = true;
    this.receiver.dropIncomplete();
    if (this.#hasHeir) native.markLastCopy(this.id);
    native.release(this.id);
  }

  #tellReadWaiters(): void {
    const waiters = this.#readWaiters;
    this.#readWaiters = undefined;
    for (const waiter of waiters ?? []) waiter();
  }
}
