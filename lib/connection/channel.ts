// SPDX-License-Identifier: MIT
//
// A channel is one endpoint as this environment uses it. Connections (dup() makes several of one channel) count as its
// users; it keeps the descriptor until the last of them is closed and what they sent is written.
import { systemError } from '../core/errors.js';
import { flushAtExit } from '../event-loop/exit.js';
import { native, READ, WRITE } from '../native/addon.js';
import { arm, ensureStarted, spinBeforeSleep, type Pollable } from '../event-loop/reactor.js';
import { Receiver, type ReceiverOwner } from './receiver.js';
import { Sender, type SenderOwner } from './sender.js';

export interface ChannelOptions {
  readonly maxMessageBytes: number;
  readonly readAhead: boolean;
  /** Longest time a Sync receive retries before it sleeps, in nanoseconds. */
  readonly spinNs: number;
  /** Longest time the event loop looks for messages that are awaited before it sleeps, in nanoseconds. */
  readonly asyncSpinNs: number;
  readonly exitFlushMs: number;
}

export interface Direction {
  readonly readable: boolean;
  readonly writable: boolean;
}

export class Channel implements Pollable, ReceiverOwner, SenderOwner {
  readonly id: number;
  readonly isSocket: boolean;
  readonly direction: Direction;
  readonly options: ChannelOptions;
  readonly receiver: Receiver;
  readonly sender: Sender;
  /** Called once when the descriptor may be readable, for those who wait without receiving. */
  #readWaiters: Set<() => void> | undefined;
  #users = 0;
  #closed = false;
  #interest = 0;

  /** The channels of a new pair. For a pipe the first one reads and the second one writes. */
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

  /** A channel that takes over an open descriptor. */
  static adopt(fd: number, socket: boolean, direction: Direction, options: ChannelOptions): Channel {
    ensureStarted();
    const id = native.adopt(fd, options.maxMessageBytes, options.readAhead);
    if (id < 0) throw systemError(id, 'fcntl');
    return new Channel(id, socket, direction, options);
  }

  private constructor(id: number, socket: boolean, direction: Direction, options: ChannelOptions) {
    this.id = id;
    this.isSocket = socket;
    this.direction = direction;
    this.options = options;
    flushAtExit(options.exitFlushMs);
    this.receiver = new Receiver(id, options.maxMessageBytes, this);
    this.sender = new Sender(id, this);
  }

  get fd(): number {
    return native.fileno(this.id);
  }

  addUser(): void {
    this.#users++;
  }

  /** The counterpart of addUser. */
  removeUser(discard: boolean): void {
    this.#users--;
    // One of those who wait may be the user that goes, and finds out when he looks again.
    this.#tellReadWaiters();
    if (this.#users > 0) return;
    if (discard) this.sender.discard();
    else this.sender.flush();
    this.#releaseIfUnused();
  }

  /** From now on only the bytes of the message at hand are read: another process may be meant to read the next one. */
  stopReadingAhead(): void {
    native.setReadAhead(this.id, false);
  }

  /** Whether a receive would make progress or fail at once. */
  readyToRead(): boolean {
    return this.receiver.ready || native.poll(Int32Array.of(this.fd, READ, 0), 0) > 0;
  }

  /** Calls `callback` when the descriptor may have become readable. Returns what takes the wish back. */
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
      // Somebody took what was there, so the next message may well be expected too: then staying in the event set saves
      // taking it out and putting it in again for every message. Once nobody does, it is taken out.
      const taken = this.receiver.pending || this.#readWaiters !== undefined;
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

  /** Sets what is waited for. If the system refuses, everything that would wait for ever fails instead. */
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
    native.release(this.id);
  }

  #tellReadWaiters(): void {
    const waiters = this.#readWaiters;
    this.#readWaiters = undefined;
    for (const waiter of waiters ?? []) waiter();
  }
}
