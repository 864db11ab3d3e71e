// SPDX-License-Identifier: MIT
import { inspect } from 'node:util';
import type { Duplex } from 'node:stream';

import type { Connection } from '../../connection/connection.js';
import { argumentError, AuthenticationError, ClosedError } from '../../core/errors.js';
import {
  checkBoolean,
  checkInteger,
  checkObject,
  checkOptionNames,
  checkTimeout,
  optionNames,
  type Bytes,
} from '../../core/validate.js';
import { makeFair } from '../../event-loop/fair-calls.js';
import { authenticateClient, checkAuthkey } from '../../listener/authentication.js';
import { authenticate } from '../../listener/client.js';
import { Listener, type ListenerOptions } from '../../listener/listener.js';
import type { SocketAddress } from '../../listener/socket-address.js';
import { connectionOver } from '../../listener/stream-connection.js';
import { PythonError } from '../../serialization/pickle/python-error.js';
import { PythonTuple } from '../../serialization/pickle/nodes.js';
import { Arguments } from './arguments.js';
import { syncTypes } from './kinds.js';
import { idOfToken } from './messages.js';
import { apply, servedObject } from './methods.js';
import { Objects } from './objects.js';
import { checkKeepAlive, limitSilence } from './silence.js';
import { Session, type Host } from './session.js';
import { markAsOwn } from '../../reduction/shareable.js';

type Listening = Pick<
  ListenerOptions,
  'address' | 'family' | 'backlog' | 'authTimeout' | 'maxHandshakes' | 'remote' | 'maxMessageBytes'
>;

/** Options of a ManagerServer. Those of a Listener have the same meaning. */
export interface ManagerServerOptions extends Listening {
  /** The secret of the manager and its clients, as bytes. CPython: `authkey`. */
  authkey: Bytes;
  /** Most connections at a time; each thread of a client has one. Further ones are closed. Default 10000. */
  maxConnections?: number | undefined;
  /** Most objects that clients have proxies of, each client's counted apart. Default 100000. */
  maxObjects?: number | undefined;
  /**
   * For how long the host of a client may give no sign of life, in milliseconds, before the connection ends and what it held
   * comes back; null: as long as the system bears it. At least 1000. Default 60000. Concerns TCP.
   */
  keepAlive?: number | null | undefined;
  /** Whether a client may end the server, as with CPython's own. Default false. */
  allowShutdown?: boolean | undefined;
  /**
   * Whether clients may make objects of their own: `Queue`, `JoinableQueue`, `Event`, `Lock`, `RLock` and `dict`, for
   * Python's `SyncManager`. Default false.
   */
  syncTypes?: boolean | undefined;
}

/** Options of `register`. */
export interface RegisterOptions {
  /** The methods that clients may call. Default: all whose names do not begin with an underscore. CPython: `exposed`. */
  exposed?: readonly string[] | undefined;
  /**
   * By method, the type under which clients get a proxy of its result, which must be one of the classes for managers.
   * CPython: `method_to_typeid`.
   */
  methodToTypeid?: Readonly<Record<string, string>> | undefined;
}

const serverNames = optionNames<ManagerServerOptions>({
  address: true,
  family: true,
  backlog: true,
  authkey: true,
  authTimeout: true,
  maxHandshakes: true,
  remote: true,
  maxMessageBytes: true,
  maxConnections: true,
  maxObjects: true,
  keepAlive: true,
  allowShutdown: true,
  syncTypes: true,
});
const registerNames = optionNames<RegisterOptions>({ exposed: true, methodToTypeid: true });

const DEFAULT_AUTH_TIMEOUT = 10_000;

/** How long to wait for a descriptor to become free. */
const PAUSE_MS = 50;

/**
 * Serves objects of Node to unmodified `multiprocessing.managers.BaseManager` clients, on this machine and on others.
 * Nothing that a client sends is imported or executed. CPython: `BaseManager.get_server()`.
 *
 * It begins to listen at once, and serves until it is closed.
 */
export class ManagerServer {
  readonly #listener: Listener;
  readonly #authkey: Buffer;
  readonly #authTimeout: number;
  readonly #maxConnections: number;
  readonly #keepAlive: number;
  readonly #maxMessageBytes: number | undefined;
  readonly #allowShutdown: boolean;
  readonly #objects: Objects;
  readonly #host: Host;
  readonly #sessions = new Set<Session>();
  #shuttingDown = false;
  /** Streams whose peers authenticate themselves. */
  readonly #arriving = new Set<Connection<unknown>>();

  /** @throws As `Listener`. */
  constructor(options: ManagerServerOptions) {
    markAsOwn(this);
    checkOptionNames(options, serverNames);
    const { maxConnections = 10_000, maxObjects = 100_000, allowShutdown = false, ...others } = options;
    const { syncTypes: sync = false, keepAlive, ...listening } = others;
    this.#keepAlive = checkKeepAlive(keepAlive);
    checkInteger(maxConnections, 'maxConnections', 1);
    checkInteger(maxObjects, 'maxObjects', 1);
    checkBoolean(allowShutdown, 'allowShutdown');
    checkBoolean(sync, 'syncTypes');
    if ((options.authkey as unknown) === undefined) {
      throw argumentError('type', 'authkey must be given: the bytes that clients pass as authkey, too');
    }
    this.#maxConnections = maxConnections;
    this.#allowShutdown = allowShutdown;
    this.#authTimeout = checkTimeout(options.authTimeout ?? DEFAULT_AUTH_TIMEOUT, 'authTimeout');
    this.#maxMessageBytes = options.maxMessageBytes;
    this.#objects = new Objects(maxObjects);
    if (sync) {
      for (const [typeid, make] of Object.entries(syncTypes)) {
        this.#objects.register(typeid, (args) => servedObject(make(args), undefined, {}));
      }
    }
    this.#listener = new Listener(listening);
    this.#authkey = checkAuthkey(options.authkey) as Buffer;
    this.#host = { objects: this.#objects, address: this.address, call: (name, args) => this.#call(name, args) };
    void this.#accept();
  }

  /** The address for clients. */
  get address(): SocketAddress {
    return this.#listener.address;
  }

  /** How many connections of clients there are. */
  get connections(): number {
    return this.#sessions.size;
  }

  /**
   * Makes an object known under a name, for which clients call `BaseManager.register(typeid)`.
   *
   * @param object A `ManagedQueue`, `ManagedDict`, `ManagedEvent` or `ManagedLock`; any object whose methods clients may call;
   *   or a function that is called for each proxy, with the client's arguments, and returns such an object.
   */
  register(typeid: string, object: object | ((...args: never[]) => object), options: RegisterOptions = {}): this {
    if (typeof typeid !== 'string' || typeid === '') throw argumentError('type', 'typeid must be a string, not empty');
    checkOptionNames(options, registerNames);
    const { exposed, methodToTypeid = {} } = options;
    if (exposed !== undefined && !Array.isArray(exposed)) throw argumentError('type', 'exposed must be an array');
    checkObject(methodToTypeid, 'methodToTypeid');
    const proxies = { ...methodToTypeid };
    if (typeof object === 'function') {
      const make = object as (...args: unknown[]) => unknown;
      this.#objects.register(typeid, (args) => servedObject(apply(make, undefined, args), exposed, proxies));
    } else {
      const served = servedObject(object, exposed, proxies);
      this.#objects.register(typeid, (args) => {
        args.take();
        return served;
      });
    }
    return this;
  }

  /**
   * Serves one client over a stream that is connected, such as a socket of a TLS server. Resolves when the client has gone.
   * Rejects with `AuthenticationError` if it was refused.
   */
  async serve(stream: Duplex): Promise<void> {
    if (this.#listener.closed) throw new ClosedError('ManagerServer');
    const connection = connectionOver(stream, { maxMessageBytes: this.#maxMessageBytes });
    this.#arriving.add(connection);
    try {
      const limits = { timeout: this.#authTimeout, signal: undefined };
      await authenticate(connection, authenticateClient(this.#authkey), limits);
    } finally {
      this.#arriving.delete(connection);
    }
    await this.#serve(connection);
  }

  /** Stops listening, and closes the connections of all clients. What they held comes back. */
  close(): void {
    this.#listener.close();
    for (const connection of this.#arriving) connection.close();
    for (const session of this.#sessions) session.close();
  }

  /** `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** What console.log shows. */
  [inspect.custom](): string {
    return `ManagerServer { address: ${inspect(this.address)}, connections: ${this.connections} }`;
  }

  async #accept(): Promise<void> {
    while (!this.#listener.closed) {
      try {
        const connection = await this.#listener.accept();
        limitSilence(connection, this.#keepAlive);
        void this.#serve(connection);
      } catch (error) {
        // A peer that was refused harms no other one. Otherwise no descriptor is free, as long as no connection ends.
        if (error instanceof AuthenticationError || error instanceof ClosedError) continue;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }

  async #serve(connection: Connection<unknown>): Promise<void> {
    if (this.#listener.closed || this.#sessions.size >= this.#maxConnections) {
      connection.close();
      return;
    }
    const session = new Session(connection, this.#host);
    this.#sessions.add(session);
    await session.serve(this.#authTimeout);
    this.#sessions.delete(session);
    if (this.#shuttingDown) this.close();
  }

  /** A function of the server itself, by CPython's name. */
  #call(name: string, args: Arguments): unknown {
    const objects = this.#objects;
    switch (name) {
      case 'dummy':
        return null;
      case 'create': {
        const [typeid, ...rest] = args.positional;
        const { id, served } = objects.create(typeid, new Arguments(String(typeid), rest, new Map(args.keywords)));
        return new PythonTuple([id, new PythonTuple(served.exposed)]);
      }
      case 'get_methods':
        return new PythonTuple(objects.find(idOfToken(args.take('token')[0])).served.exposed);
      case 'incref':
        objects.incref(args.take('ident')[0]);
        return null;
      case 'decref':
        objects.decref(args.take('ident')[0]);
        return null;
      case 'number_of_objects':
        return objects.size;
      case 'debug_info':
        return objects.describe();
      case 'shutdown':
        if (!this.#allowShutdown) throw new PythonError('PermissionError', ['The server has allowShutdown: false']);
        this.#shuttingDown = true;
        return null;
      default:
        throw new PythonError('AssertionError', [`'${name}' unrecognized`]);
    }
  }
}

makeFair(ManagerServer.prototype, 'serve', Symbol.asyncDispose);
