// SPDX-License-Identifier: MIT
import { authenticateListener, checkAuthkey } from './authentication.js';
import { adoptSocket, checkSocketOptions } from './connected-socket.js';
import type { Connection } from '../connection/connection.js';
import type { ConnectionOptions } from '../connection/options.js';
import {
  checkLimits,
  deadlineAfter,
  millisecondsLeft,
  startLimits,
  type Limits,
  type WaitOptions,
} from '../core/deadline.js';
import { systemError, TimeoutError } from '../core/errors.js';
import { Handshake } from './handshake.js';
import { native, READ, WRITE } from '../native/addon.js';
import { arm, blockOn, ensureStarted, flushUnwritten, Hold } from '../event-loop/reactor.js';
import {
  checkAddress,
  checkFamily,
  readIpAddress,
  showAddress,
  type NativeAddress,
  type SocketAddress,
  type SocketFamily,
} from './socket-address.js';
import { checkObject, type Bytes } from '../core/validate.js';

const codes = native.status;

/** Options of `Client`. Connecting and authenticating share one time limit. */
export interface ClientOptions extends ConnectionOptions, WaitOptions {
  /** Default: the family of the address. */
  family?: SocketFamily | undefined;
  /** The secret that both sides must have, as bytes; an empty one counts. Default: none, for a Listener without one. */
  authkey?: Bytes | undefined;
  /** Allows addresses other than those of this machine's loopback interface. Nothing is encrypted. Default false. */
  remote?: boolean | undefined;
}

/** A wait of the steps of connecting. */
type Wait =
  | { readonly kind: 'writable'; readonly id: number; readonly fd: number }
  | { readonly kind: 'readable'; readonly handshake: Handshake }
  | { readonly kind: 'pause'; readonly ms: number };

type Steps<T> = Generator<Wait, T, void>;

/** The longest pause before the next attempt to connect to a unix socket whose queue is full. */
const LONGEST_PAUSE_MS = 16;

/** On a loopback interface, a socket may get the port that it connects to. Then it is connected to itself. */
function isConnectedToItself(id: number, where: NativeAddress): boolean {
  if (!where.ip) return false;
  const room = Buffer.alloc(6);
  const local = native.sockets.localAddress(id, room) < 0 ? undefined : readIpAddress(room);
  return local !== undefined && local[1] === where.port && room.subarray(0, 4).equals(where.name);
}

/** The descriptor of a socket that is connected to `address`. */
function* connect(address: SocketAddress, where: NativeAddress): Steps<number> {
  const fail = (status: number, syscall: string): never => {
    throw systemError(status, syscall, showAddress(address));
  };
  ensureStarted();
  const id = native.sockets.open(where.ip, true);
  if (id < 0) fail(id, 'socket');
  try {
    let status = native.sockets.connect(id, where.ip, where.name, where.port);
    // The kernel has no event for room in a unix socket's queue, so the attempt is repeated.
    for (let pause = 1; status === codes.again && !where.ip; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      yield { kind: 'pause', ms: pause };
      status = native.sockets.connect(id, where.ip, where.name, where.port);
    }
    if (status === codes.inProgress) {
      yield { kind: 'writable', id, fd: native.fileno(id) };
      status = native.sockets.connectResult(id);
    }
    if (status < 0) fail(status, 'connect');
    if (isConnectedToItself(id, where)) fail(codes.refused, 'connect');
    const fd = native.sockets.take(id, where.ip);
    return fd < 0 ? fail(fd, 'fcntl') : fd;
  } finally {
    native.release(id);
  }
}

function* connectAndAuthenticate(
  address: SocketAddress,
  where: NativeAddress,
  authkey: Buffer | undefined,
  options: ConnectionOptions,
): Steps<Connection<unknown>> {
  const fd = yield* connect(address, where);
  const connection = adoptSocket(fd, options);
  if (authkey === undefined) return connection;
  try {
    const handshake = new Handshake(connection, authenticateListener(authkey));
    while (!handshake.advance()) yield { kind: 'readable', handshake };
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Calls `done` once when the wait is over. The returned function cancels that. */
function startWait(wait: Wait, done: () => void): () => void {
  switch (wait.kind) {
    case 'pause': {
      const timer = setTimeout(done, wait.ms);
      return () => {
        clearTimeout(timer);
      };
    }
    case 'readable':
      return wait.handshake.onceReadable(done);
    case 'writable': {
      const pollable = { id: wait.id, onReady: done };
      const failure = arm(pollable, WRITE);
      if (failure !== undefined) throw failure;
      return () => {
        arm(pollable, 0);
      };
    }
  }
}

/** Lets the steps close what they have open, unless they have failed themselves. Returns the error. */
function endWith(steps: Steps<unknown>, error: unknown): Error {
  try {
    steps.throw(error);
  } catch {
    // The steps close what they have open, and throw the same error again.
  }
  return error as Error;
}

function run<T>(steps: Steps<T>, limits: Limits): Promise<T> {
  const hold = new Hold();
  hold.begin();
  return new Promise<T>((resolve, reject) => {
    let stop: (() => void) | undefined;
    const finish = (): void => {
      cancel();
      hold.end();
    };
    const go = (next: () => IteratorResult<Wait, T>): void => {
      stop?.();
      stop = undefined;
      try {
        const result = next();
        if (result.done === true) {
          finish();
          resolve(result.value);
        } else {
          stop = startWait(result.value, () => {
            go(() => steps.next());
          });
        }
      } catch (error) {
        finish();
        reject(endWith(steps, error));
      }
    };
    const timeoutError = (): Error => new TimeoutError('Client');
    const cancel = startLimits(limits, true, timeoutError, (error) => {
      go(() => steps.throw(error));
    });
    go(() => steps.next());
  });
}

function runSync<T>(steps: Steps<T>, deadline: number): T {
  flushUnwritten();
  let result = steps.next();
  while (result.done !== true) {
    try {
      waitSync(result.value, deadline);
    } catch (error) {
      result = steps.throw(error);
      continue;
    }
    result = steps.next();
  }
  return result.value;
}

function waitSync(wait: Wait, deadline: number): void {
  if (wait.kind === 'pause') {
    const end = Math.min(deadlineAfter(wait.ms), deadline);
    while (millisecondsLeft(end) > 0) blockOn([], end, 'ClientSync');
  } else {
    const fd = wait.kind === 'writable' ? wait.fd : wait.handshake.fd;
    const interest = wait.kind === 'writable' ? WRITE : READ;
    while (!blockOn([fd], deadline, 'ClientSync', interest).ready[0] && millisecondsLeft(deadline) > 0);
  }
  if (millisecondsLeft(deadline) === 0) throw new TimeoutError('ClientSync');
}

function prepare(
  address: SocketAddress,
  options: ClientOptions,
): { steps: Steps<Connection<unknown>>; limits: Limits } {
  checkObject(options, 'options');
  const { family, remote } = checkFamily(options);
  const where = checkAddress(address, family, remote, false);
  const authkey = checkAuthkey(options.authkey);
  const connection = checkSocketOptions(options);
  return { steps: connectAndAuthenticate(address, where, authkey, connection), limits: checkLimits(options) };
}

/**
 * Connects to a `Listener`, of this package or of Python. CPython: `multiprocessing.connection.Client`.
 *
 * Resolves to the Connection, after both sides have proved that they have the `authkey`, if there is one. Rejects with
 * `AuthenticationError`, `TimeoutError`, an AbortError, or a system error: `ECONNREFUSED` when no socket listens there,
 * `ENOENT` when there is no such path.
 */
export async function Client<S = unknown, R = S>(
  address: SocketAddress,
  options: ClientOptions = {},
): Promise<Connection<S, R>> {
  const { steps, limits } = prepare(address, options);
  return (await run(steps, limits)) as Connection<never, unknown> as Connection<S, R>;
}

/** As `Client`, blocking. */
export function ClientSync<S = unknown, R = S>(address: SocketAddress, options: ClientOptions = {}): Connection<S, R> {
  const { steps, limits } = prepare(address, options);
  return runSync(steps, deadlineAfter(limits.timeout)) as Connection<never, unknown> as Connection<S, R>;
}
