// SPDX-License-Identifier: MIT
import { authenticateListener, checkAuthkey, type Talk } from './authentication.js';
import { adoptSocket, checkSocketOptions } from './connected-socket.js';
import type { Connection } from '../connection/connection.js';
import { CONNECTION_OPTIONS, type ConnectionOptions } from '../connection/options.js';
import { checkLimits, deadlineAfter, type Limits, type WaitOptions } from '../core/deadline.js';
import { systemError } from '../core/errors.js';
import { run, runSync, type Waits } from '../event-loop/driver.js';
import { inTurn, operations } from '../event-loop/fair-calls.js';
import { Handshake } from './handshake.js';
import { native } from '../native/addon.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import { ensureStarted } from '../event-loop/reactor.js';
import { flushUnwritten } from '../event-loop/sync-wait.js';
import {
  checkAddress,
  checkFamily,
  readIpAddress,
  showAddress,
  type NativeAddress,
  type SocketAddress,
  type SocketFamily,
} from './socket-address.js';
import { Decided, Pause, Readable, type ConnectLimits } from './socket-wait.js';
import { checkOptionNames, optionNames, type Bytes } from '../core/validate.js';

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

const clientNames = optionNames<ClientOptions>({
  ...CONNECTION_OPTIONS,
  family: true,
  authkey: true,
  remote: true,
  timeout: true,
  signal: true,
});

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
function* connect(address: SocketAddress, where: NativeAddress, limits: ConnectLimits): Waits<number, void> {
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
      yield new Pause(pause, limits);
      status = native.sockets.connect(id, where.ip, where.name, where.port);
    }
    if (status === codes.inProgress) {
      yield new Decided(id, limits);
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
  limits: ConnectLimits,
): Waits<Connection<unknown>, void> {
  const fd = yield* connect(address, where, limits);
  const connection = adoptSocket(fd, options);
  if (authkey !== undefined) yield* authenticateOver(connection, authenticateListener(authkey), limits);
  return connection;
}

/** Closes the Connection if it fails. */
function* authenticateOver(connection: Connection<unknown>, talk: Talk, limits: ConnectLimits): Waits<void, void> {
  try {
    const handshake = new Handshake(connection, talk);
    while (!handshake.advance()) yield new Readable(handshake, limits);
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** One side of an authentication, over a Connection that no other code uses yet. Closes it if that fails. */
export async function authenticate(connection: Connection<unknown>, talk: Talk, limits: Limits): Promise<void> {
  const { timeout, signal } = limits;
  await run(authenticateOver(connection, talk, { deadline: deadlineAfter(timeout), signal }), new KeepAlive());
}

function prepare(address: SocketAddress, options: ClientOptions): Waits<Connection<unknown>, void> {
  checkOptionNames(options, clientNames);
  const { family, remote } = checkFamily(options);
  const where = checkAddress(address, family, remote, false);
  const authkey = checkAuthkey(options.authkey);
  const connection = checkSocketOptions(options);
  const { timeout, signal } = checkLimits(options, clientNames);
  return connectAndAuthenticate(address, where, authkey, connection, { deadline: deadlineAfter(timeout), signal });
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
  const before = operations();
  const connection: Connection<never, unknown> = await inTurn(connected(address, options), before);
  return connection as Connection<S, R>;
}

async function connected(address: SocketAddress, options: ClientOptions): Promise<Connection<unknown>> {
  return await run(prepare(address, options), new KeepAlive());
}

/** As `Client`, blocking. */
export function ClientSync<S = unknown, R = S>(address: SocketAddress, options: ClientOptions = {}): Connection<S, R> {
  const waits = prepare(address, options);
  flushUnwritten();
  return runSync(waits, 'ClientSync') as Connection<never, unknown> as Connection<S, R>;
}
