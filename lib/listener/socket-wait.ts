// SPDX-License-Identifier: MIT
//
// What connecting waits for: a socket, an answer of the peer, or time to pass.
import { deadlineAfter, millisecondsLeft } from '../core/deadline.js';
import { TimeoutError } from '../core/errors.js';
import type { Wait } from '../event-loop/driver.js';
import type { KeepAlive } from '../event-loop/keep-alive.js';
import { PendingCall } from '../event-loop/pending-call.js';
import { arm } from '../event-loop/reactor.js';
import { blockOn } from '../event-loop/sync-wait.js';
import { native, READ, WRITE } from '../native/addon.js';

/** The limits of connecting, which all its waits have in common. */
export interface ConnectLimits {
  /** As `deadlineAfter` gives it. */
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/** What is received from. */
export interface Receiving {
  readonly fd: number;
  onceReadable(callback: () => void): () => void;
}

/** A wait that rejects with a TimeoutError at the deadline of connecting. */
abstract class SocketWait implements Wait<void> {
  readonly #limits: ConnectLimits;

  constructor(limits: ConnectLimits) {
    this.#limits = limits;
  }

  start(keepAlive: KeepAlive): Promise<void> {
    const { deadline, signal } = this.#limits;
    const call = new PendingCall<void>(keepAlive);
    call.attempt(() => {
      call.onEnd = this.listen(() => call.resolve());
      call.limit({ timeout: millisecondsLeft(deadline), signal }, () => new TimeoutError('Client'));
    });
    return call.promise;
  }

  block(operation: string): void {
    const { deadline } = this.#limits;
    this.blockUntil(deadline, operation);
    if (millisecondsLeft(deadline) === 0) throw new TimeoutError(operation);
  }

  /** Calls `done` when the wait is over. Returns what takes that back. */
  protected abstract listen(done: () => void): () => void;

  /** Blocks until the wait is over, or the deadline. */
  protected abstract blockUntil(deadline: number, operation: string): void;
}

/** Lets time pass. */
export class Pause extends SocketWait {
  readonly #ms: number;

  constructor(ms: number, limits: ConnectLimits) {
    super(limits);
    this.#ms = ms;
  }

  protected override listen(done: () => void): () => void {
    const timer = setTimeout(done, this.#ms);
    return () => {
      clearTimeout(timer);
    };
  }

  protected override blockUntil(deadline: number, operation: string): void {
    const end = Math.min(deadlineAfter(this.#ms), deadline);
    while (millisecondsLeft(end) > 0) blockOn([], end, operation);
  }
}

/** Waits until a socket that connects has succeeded or failed. */
export class Decided extends SocketWait {
  readonly #id: number;

  constructor(id: number, limits: ConnectLimits) {
    super(limits);
    this.#id = id;
  }

  protected override listen(done: () => void): () => void {
    const pollable = { id: this.#id, onReady: done };
    const failure = arm(pollable, WRITE);
    if (failure !== undefined) throw failure;
    return () => {
      arm(pollable, 0);
    };
  }

  protected override blockUntil(deadline: number, operation: string): void {
    blockOnDescriptor(native.fileno(this.#id), WRITE, deadline, operation);
  }
}

/** Waits until there may be something to receive. */
export class Readable extends SocketWait {
  readonly #source: Receiving;

  constructor(source: Receiving, limits: ConnectLimits) {
    super(limits);
    this.#source = source;
  }

  protected override listen(done: () => void): () => void {
    return this.#source.onceReadable(done);
  }

  protected override blockUntil(deadline: number, operation: string): void {
    blockOnDescriptor(this.#source.fd, READ, deadline, operation);
  }
}

function blockOnDescriptor(fd: number, interest: number, deadline: number, operation: string): void {
  while (!blockOn([fd], deadline, operation, interest).ready[0] && millisecondsLeft(deadline) > 0);
}
