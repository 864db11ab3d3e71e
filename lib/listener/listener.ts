// SPDX-License-Identifier: MIT
import { inspect } from 'node:util';

import { authenticateClient, checkAuthkey } from './authentication.js';
import { adoptSocket, checkSocketOptions } from './connected-socket.js';
import type { Connection } from '../connection/connection.js';
import { CONNECTION_OPTIONS, type ConnectionOptions } from '../connection/options.js';
import { checkLimits, deadlineAfter, millisecondsLeft, startLimits, type WaitOptions } from '../core/deadline.js';
import { CallIterator } from '../event-loop/call-iterator.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { PendingCall } from '../event-loop/pending-call.js';
import { AuthenticationError, BusyError, ClosedError, TimeoutError } from '../core/errors.js';
import { importError, isBegunByImport } from '../core/import-context.js';
import { Fifo } from '../core/fifo.js';
import { Handshake } from './handshake.js';
import { ListeningSocket, type AcceptedSocket } from './listening-socket.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import { takeTurn } from '../event-loop/reactor.js';
import { blockOn, flushUnwritten } from '../event-loop/sync-wait.js';
import { shareableMark } from '../reduction/shareable.js';
import { checkAddress, checkFamily, showAddress, type SocketAddress, type SocketFamily } from './socket-address.js';
import { makeSocketPath, removeFolder } from './socket-file.js';
import { checkInteger, checkOptionNames, checkTimeout, optionNames, type Bytes } from '../core/validate.js';
import { queueMicrotask, setImmediate } from '../core/own-turns.js';

/** Options of a Listener. Those of a Connection apply to the connections that it accepts. */
export interface ListenerOptions extends ConnectionOptions {
  /**
   * Where to listen. Default: a new path in a folder that only this user can enter; with `family: 'AF_INET'` a free
   * port.
   */
  address?: SocketAddress | undefined;
  /** Default: the family of the address, or `'AF_UNIX'`. */
  family?: SocketFamily | undefined;
  /** How many connections may wait to be accepted, which the system may limit further. Default 128. */
  backlog?: number | undefined;
  /** The secret that both sides must have, as bytes; an empty one counts. Default: none, and no authentication. */
  authkey?: Bytes | undefined;
  /** How long a peer may take to authenticate itself, in milliseconds. Default 10000. */
  authTimeout?: number | undefined;
  /** Most peers at a time that are authenticating themselves, or have done so and wait for an `accept`. Default 64. */
  maxHandshakes?: number | undefined;
  /** Allows addresses other than those of this machine's loopback interface. Nothing is encrypted. Default false. */
  remote?: boolean | undefined;
}

const listenerNames = optionNames<ListenerOptions>({
  ...CONNECTION_OPTIONS,
  address: true,
  family: true,
  backlog: true,
  authkey: true,
  authTimeout: true,
  maxHandshakes: true,
  remote: true,
});

const DEFAULT_BACKLOG = 128;
const DEFAULT_AUTH_TIMEOUT = 10_000;
const DEFAULT_MAX_HANDSHAKES = 64;

const mark = shareableMark('Listener', 'send its address, or the Connections that it accepts');

interface Accepted {
  readonly connection: Connection<unknown>;
  readonly peer: SocketAddress;
}

/** A connection whose peer is authenticating itself. */
interface Candidate extends Accepted {
  readonly handshake: Handshake;
  readonly deadline: number;
  /** Ends its time limit, and stops watching its connection. */
  forget(): void;
}

/** Closes Listeners that were collected. */
const collected = new FinalizationRegistry<ListeningSocket>((socket) => {
  socket.close();
});

/**
 * Waits at an address for connections of other processes, which need not be related to this one. The other side is a
 * `Client` here or in Python. CPython: `multiprocessing.connection.Listener`.
 *
 * With an `authkey`, both sides prove to each other that they have it, as every CPython from 3.8 does. Several peers do
 * so at the same time, so a silent peer does not delay the others.
 */
export class Listener<S = unknown, R = S> {
  readonly #socket: ListeningSocket;
  readonly #authkey: Buffer | undefined;
  readonly #authTimeout: number;
  readonly #maxHandshakes: number;
  readonly #options: ConnectionOptions;
  readonly #keepAlive = new KeepAlive();
  readonly #waiting = new Fifo<PendingCall<Connection<S, R>>>();
  readonly #candidates = new Set<Candidate>();
  /** Connections whose peers have authenticated themselves, while no accept is pending. */
  readonly #ready = new Fifo<Accepted>();
  #lastAccepted: SocketAddress | undefined;
  #closed = false;

  /**
   * @throws TypeError or RangeError for wrong options, a system error if the address is not available: `EADDRINUSE`
   *   when another socket listens there, or when a killed process has left its socket's file there. `NotSupported` in a child
   *   that has not yet imported the module of its function.
   */
  constructor(options: ListenerOptions = {}) {
    checkOptionNames(options, listenerNames);
    if (isBegunByImport()) throw importError('listen', 'each child would listen, too, and would not end');
    const { family, remote } = checkFamily(options);
    const backlog = options.backlog ?? DEFAULT_BACKLOG;
    checkInteger(backlog, 'backlog', 0, 0x7fffffff);
    this.#authkey = checkAuthkey(options.authkey);
    this.#authTimeout = checkTimeout(options.authTimeout ?? DEFAULT_AUTH_TIMEOUT, 'authTimeout');
    this.#maxHandshakes = options.maxHandshakes ?? DEFAULT_MAX_HANDSHAKES;
    checkInteger(this.#maxHandshakes, 'maxHandshakes', 1);
    this.#options = checkSocketOptions(options);

    const wanted = options.address ?? (family === 'AF_INET' ? (['localhost', 0] as const) : undefined);
    if (wanted !== undefined) {
      this.#socket = new ListeningSocket(wanted, checkAddress(wanted, family, remote, true), undefined, backlog);
    } else {
      const { path, folder } = makeSocketPath();
      try {
        this.#socket = new ListeningSocket(path, checkAddress(path, family, remote, true), folder, backlog);
      } catch (error) {
        removeFolder(folder);
        throw error;
      }
    }
    collected.register(this, this.#socket, this);
    Object.defineProperty(this, 'shareable', mark);
  }

  /**
   * The address for peers. For a TCP socket it has the host as an IPv4 address, and the actual port. CPython:
   * `address`.
   */
  get address(): SocketAddress {
    return this.#socket.address;
  }

  /**
   * The peer's address of the last accepted connection, `''` for a unix socket; undefined before. CPython:
   * `last_accepted`.
   */
  get lastAccepted(): SocketAddress | undefined {
    return this.#lastAccepted;
  }

  /** Whether this object was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Waits for the next connection. CPython: `accept()`.
   *
   * Rejects with `AuthenticationError` when a peer was refused, whose connection is closed. The Listener goes on, and
   * the next call accepts the next peer. Also rejects with `ClosedError`, `TimeoutError`, an AbortError, or a system
   * error (EMFILE). A peer that was authenticating itself when the time was up is accepted by a later call.
   */
  accept(options?: WaitOptions): Promise<Connection<S, R>> {
    try {
      this.#checkOpen();
      const limits = checkLimits(options);
      const call = new PendingCall<Connection<S, R>>(this.#keepAlive);
      this.#waiting.push(call);
      const endEarly = (error: Error): void => {
        this.#waiting.remove(call);
        call.reject(error);
        this.#serve();
      };
      const timeoutError = (): Error => new TimeoutError('accept');
      if (limits.timeout > 0) call.limit(limits, timeoutError, endEarly);
      const start = (): void => {
        this.#serve();
        if (limits.timeout <= 0) endEarly(timeoutError());
      };
      // A loop of accepts that never wait must still let timers run.
      if (takeTurn()) start();
      else setImmediate(start);
      return call.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `accept`, blocking. */
  acceptSync(options?: WaitOptions): Connection<S, R> {
    this.#checkOpen();
    const deadline = deadlineAfter(checkLimits(options).timeout);
    if (this.#waiting.length > 0) throw new BusyError('acceptSync: an asynchronous accept is pending on this Listener');
    flushUnwritten();
    for (;;) {
      while (this.#ready.length === 0 && this.#hasRoom() && this.#accept());
      for (const candidate of this.#candidates) this.#advance(candidate);
      const accepted = this.#ready.shift();
      if (accepted !== undefined) return this.#hand(accepted);
      const sockets = [...this.#candidates];
      const fds = sockets.map(({ handshake }) => handshake.fd);
      if (this.#hasRoom()) fds.push(this.#socket.fd);
      const next = Math.min(deadline, ...sockets.map((candidate) => candidate.deadline));
      blockOn(fds, next, 'acceptSync');
      for (const candidate of sockets) if (millisecondsLeft(candidate.deadline) === 0) this.#expire(candidate);
      if (millisecondsLeft(deadline) === 0) throw new TimeoutError('acceptSync');
    }
  }

  /**
   * Stops listening, and removes the file of a unix socket; doing so again changes nothing. Pending accepts reject with
   * `ClosedError`. Connections that were accepted stay as they are. CPython: `close()`.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    collected.unregister(this);
    this.#socket.close();
    for (const call of this.#waiting.removeAll()) call.reject(new ClosedError('Listener'));
    for (const candidate of this.#candidates) {
      this.#drop(candidate);
      candidate.connection.close();
    }
    for (const { connection } of this.#ready.removeAll()) connection.close();
  }

  /** Pending accepts of this object keep the process alive, which is the default. */
  ref(): this {
    this.#keepAlive.on = true;
    return this;
  }

  /** Pending accepts of this object no longer keep the process alive. */
  unref(): this {
    this.#keepAlive.on = false;
    return this;
  }

  /** `close()`, for `using`. CPython: `with listener`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /**
   * Accepts connections until the Listener is closed, and skips peers that are refused. Leaving the loop closes
   * nothing, and loses no connection; nor does `return()` of the iterator, which also ends a `next()` that waits.
   */
  [Symbol.asyncIterator](): AsyncGenerator<Connection<S, R>, void, undefined> {
    return new CallIterator(
      (options) => this.#acceptAuthentic(options),
      (error) => error instanceof ClosedError,
    );
  }

  /** What console.log shows. */
  [inspect.custom](): string {
    return this.#closed ? 'Listener { closed }' : `Listener { address: ${showAddress(this.address)} }`;
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError('Listener');
  }

  /** Accepts the next peer that is not refused. */
  async #acceptAuthentic(options: WaitOptions): Promise<Connection<S, R>> {
    for (;;) {
      try {
        return await this.accept(options);
      } catch (error) {
        if (!(error instanceof AuthenticationError)) throw error;
      }
    }
  }

  #hand({ connection, peer }: Accepted): Connection<S, R> {
    this.#lastAccepted = peer;
    return connection as Connection<never, unknown> as Connection<S, R>;
  }

  #hasRoom(): boolean {
    return this.#candidates.size + this.#ready.length < this.#maxHandshakes;
  }

  /** Serves the pending accepts, and watches the socket as long as there are any. */
  #serve = (): void => {
    try {
      while (this.#waiting.length > 0) {
        const accepted = this.#ready.shift();
        if (accepted !== undefined) this.#waiting.shift()?.resolve(this.#hand(accepted));
        else if (!this.#hasRoom() || !this.#accept()) break;
      }
    } catch (error) {
      this.#waiting.shift()?.reject(error);
    }
    const wanted = this.#waiting.length > 0 && this.#hasRoom();
    const failure = this.#socket.watch(wanted ? this.#serve : undefined);
    if (failure !== undefined) this.#waiting.shift()?.reject(failure);
  };

  /** Accepts the next connection, if there is one: it becomes ready, or a candidate. */
  #accept(): boolean {
    const socket = this.#socket.accept();
    if (socket === undefined) return false;
    const accepted = this.#adopt(socket);
    if (this.#authkey === undefined) this.#ready.push(accepted);
    else this.#challenge(accepted, this.#authkey);
    return true;
  }

  #adopt({ fd, peer }: AcceptedSocket): Accepted {
    return { connection: adoptSocket(fd, this.#options), peer };
  }

  #challenge(accepted: Accepted, authkey: Buffer): void {
    const handshake = new Handshake(accepted.connection, authenticateClient(authkey));
    let stopListening: (() => void) | undefined;
    const candidate: Candidate = {
      ...accepted,
      handshake,
      deadline: deadlineAfter(this.#authTimeout),
      forget() {
        stopTimer();
        stopListening?.();
      },
    };
    const limits = { timeout: this.#authTimeout, signal: undefined };
    const stopTimer = startLimits(
      limits,
      false,
      () => new TimeoutError('authentication'),
      () => {
        this.#settleCandidate(() => this.#expire(candidate));
      },
    );
    const listen = (): void => {
      if (!this.#candidates.has(candidate)) return;
      this.#settleCandidate(() => {
        if (!this.#advance(candidate)) stopListening = handshake.onceReadable(listen);
      });
    };
    this.#candidates.add(candidate);
    // Not at once, since a Sync call goes on with the handshake itself.
    queueMicrotask(listen);
  }

  /** Goes on with a handshake. True when it is complete, and the connection is ready. */
  #advance(candidate: Candidate): boolean {
    let done: boolean;
    try {
      done = candidate.handshake.advance();
    } catch (error) {
      this.#drop(candidate);
      throw error;
    }
    if (!done) return false;
    this.#drop(candidate);
    this.#ready.push(candidate);
    return true;
  }

  /** Refuses a candidate whose time is up. */
  #expire(candidate: Candidate): never {
    this.#drop(candidate);
    candidate.connection.close();
    throw new AuthenticationError('The other side did not authenticate itself in time');
  }

  #drop(candidate: Candidate): void {
    this.#candidates.delete(candidate);
    candidate.forget();
  }

  /** Runs a step of a candidate outside of any call. A refusal rejects the first pending accept. */
  #settleCandidate(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#waiting.shift()?.reject(error);
    }
    if (!this.#closed) this.#serve();
  }
}

makeFair(Listener.prototype, Symbol.asyncDispose);
