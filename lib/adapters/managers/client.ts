// SPDX-License-Identifier: MIT
import { inspect } from 'node:util';

import {
  checkLimits,
  deadlineAfter,
  limited,
  millisecondsLeft,
  throwIfAborted,
  type Limits,
} from '../../core/deadline.js';
import type { Connection } from '../../connection/connection.js';
import { argumentError, ClosedError, TimeoutError } from '../../core/errors.js';
import { checkFunction, checkInteger, checkObject, checkOptionNames } from '../../core/validate.js';
import { KeepAlive } from '../../event-loop/keep-alive.js';
import { authenticateListener, checkAuthkey } from '../../listener/authentication.js';
import { authenticate, Client } from '../../listener/client.js';
import { connectionOver } from '../../listener/stream-connection.js';
import { makeFair } from '../../event-loop/fair-calls.js';
import { callNames, clientNames, type ManagerCallOptions, type ManagerClientOptions } from './options.js';
import { ManagerProxy } from './proxy.js';
import { checkArgs, openAnswer, writeRequest, type Token } from './answers.js';
import { checkKeepAlive, limitSilence } from './silence.js';
import { Waiters } from './waiters.js';
import { markAsOwn } from '../../reduction/shareable.js';

/** One time limit for all steps of a call. */
class Steps {
  readonly #operation: string;
  readonly #deadline: number;
  readonly #signal: AbortSignal | undefined;

  constructor(operation: string, { timeout, signal }: Limits) {
    this.#operation = operation;
    this.#deadline = deadlineAfter(timeout);
    this.#signal = signal;
  }

  /** Makes a step. If the time is up, the error names the call: its caller does not know the step. */
  async make<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      const isLate = error instanceof TimeoutError && millisecondsLeft(this.#deadline) === 0;
      throw isLate ? new TimeoutError(this.#operation) : error;
    }
  }

  get limits(): Limits {
    const limits = { timeout: millisecondsLeft(this.#deadline), signal: this.#signal };
    throwIfAborted(limits);
    return limits;
  }
}

/**
 * Uses the objects of a manager: of a `multiprocessing.managers.BaseManager` of Python, or of a `ManagerServer`. What the
 * manager sends is read as `pickle.loads` reads; nothing is imported or executed. CPython: `BaseManager.connect()`.
 */
export class ManagerClient {
  readonly #options: ManagerClientOptions;
  readonly #authkey: Buffer;
  readonly #maxConnections: number;
  readonly #silence: number;
  readonly #keepAlive = new KeepAlive();
  readonly #idle: Connection<unknown>[] = [];
  readonly #open = new Set<Connection<unknown>>();
  readonly #waiting = new Waiters<void>();
  /** @internal Those that were not given up. */
  readonly proxies = new Set<ManagerProxy>();
  #calls = 0;
  #closed = false;

  private constructor(options: ManagerClientOptions) {
    markAsOwn(this);
    checkOptionNames(options, clientNames);
    const { maxConnections = 16, connect, address } = options;
    checkInteger(maxConnections, 'maxConnections', 1);
    if (connect !== undefined) checkFunction(connect, 'connect');
    if ((address === undefined) === (connect === undefined)) {
      throw argumentError('type', 'either address or connect must be given');
    }
    const authkey = checkAuthkey(options.authkey);
    if (authkey === undefined) throw argumentError('type', 'authkey must be given: the bytes that the manager has');
    this.#options = { ...options };
    this.#authkey = authkey;
    this.#maxConnections = maxConnections;
    this.#silence = checkKeepAlive(options.keepAlive);
  }

  /**
   * Connects to a manager. Rejects with `AuthenticationError`, `TimeoutError`, an AbortError, or a system error such as
   * `ECONNREFUSED`.
   */
  static async connect(options: ManagerClientOptions): Promise<ManagerClient> {
    const client = new ManagerClient(options);
    await client.request('connect', 'dummy', [], undefined, checkLimits(options, clientNames));
    return client;
  }

  /**
   * A proxy of an object, under a name that is registered with the manager. CPython: `manager.get_queue(*args)` after
   * `register('get_queue')`.
   *
   * @param args The arguments of the registered function.
   */
  async create<T extends object = ManagerProxy>(
    typeid: string,
    args: readonly unknown[] = [],
    options: ManagerCallOptions = {},
  ): Promise<ManagerProxy & T> {
    checkOptionNames(options, callNames);
    if (typeof typeid !== 'string') throw argumentError('type', 'typeid must be a string');
    checkArgs(args);
    const limits = checkLimits(options, callNames);
    const made = await this.request(`create('${typeid}')`, 'create', [typeid, ...args], options.kwargs, limits);
    const [id, exposed] = made as [string, string[]];
    return new ManagerProxy(this, { typeid, id }, exposed) as ManagerProxy & T;
  }

  /** How many objects the manager has for its clients. CPython: `_number_of_objects()`. */
  async numberOfObjects(options?: ManagerCallOptions): Promise<number> {
    const limits = checkLimits(options, callNames);
    return (await this.request('numberOfObjects', 'number_of_objects', [], undefined, limits)) as number;
  }

  /** What the manager tells of its objects. CPython: `_debug_info()`. */
  async debugInfo(options?: ManagerCallOptions): Promise<string> {
    const limits = checkLimits(options, callNames);
    return (await this.request('debugInfo', 'debug_info', [], undefined, limits)) as string;
  }

  /** Ends the manager, if it permits that. CPython: `shutdown()`. */
  async shutdown(options?: ManagerCallOptions): Promise<void> {
    await this.request('shutdown', 'shutdown', [], undefined, checkLimits(options, callNames));
  }

  /**
   * Gives up all proxies and closes all connections. Pending calls reject with `ClosedError`. Never rejects: the manager may
   * be gone.
   */
  async close(): Promise<void> {
    await Promise.allSettled([...this.proxies].map((proxy) => proxy.close()));
    this.#closed = true;
    this.#waiting.rejectAll(() => new ClosedError('ManagerClient'));
    for (const connection of this.#open) connection.close();
  }

  /** `close()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What console.log shows. */
  [inspect.custom](): string {
    return `ManagerClient { ${this.#closed ? 'closed' : `connections: ${this.#open.size}`} }`;
  }

  /**
   * @internal A call of the manager itself, over a connection of its own as CPython's.
   *
   * @param operation The call that the user has made.
   */
  async request(
    operation: string,
    name: string,
    args: readonly unknown[],
    kwargs: unknown,
    limits: Limits,
  ): Promise<unknown> {
    const steps = new Steps(operation, limits);
    const message = writeRequest(null, name, args, kwargs);
    const connection = await steps.make(() => this.#connect(steps));
    try {
      return openAnswer(await steps.make(() => this.#exchange(connection, message, steps)), undefined);
    } finally {
      this.#drop(connection);
    }
  }

  /** @internal A call of a method. */
  async call(token: Token, name: string, args: readonly unknown[], options: ManagerCallOptions = {}): Promise<unknown> {
    const steps = new Steps(`call('${name}')`, checkLimits(options, callNames));
    checkArgs(args);
    if (options.kwargs !== undefined) checkObject(options.kwargs, 'kwargs');
    const message = writeRequest(token.id, name, args, options.kwargs);
    const connection = await steps.make(() => this.#take(steps));
    let answer: Buffer;
    try {
      answer = await steps.make(() => this.#exchange(connection, message, steps));
    } catch (error) {
      // The answer may still come, and would be taken for that of the next call.
      this.#drop(connection);
      throw error;
    } finally {
      this.#calls--;
      this.#waiting.serve();
    }
    this.#idle.push(connection);
    return openAnswer(answer, (made, exposed) => new ManagerProxy(this, made, exposed));
  }

  async #exchange(connection: Connection<unknown>, message: Buffer, steps: Steps): Promise<Buffer> {
    await connection.sendBytes(message, 0, undefined, steps.limits);
    return await connection.recvBytes(undefined, steps.limits);
  }

  /** A connection on which methods are called. */
  async #take(steps: Steps): Promise<Connection<unknown>> {
    while (this.#calls >= this.#maxConnections) {
      await this.#waiting.wait(steps.limits, this.#keepAlive, () => {
        throw new TimeoutError('call');
      }).promise;
    }
    this.#calls++;
    try {
      for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
        // The manager says nothing on its own, so what there is to receive is the end.
        if (!idle.closed && !(await idle.poll(0))) return idle;
        this.#drop(idle);
      }
      const connection = await this.#connect(steps);
      try {
        const name = `node-${process.pid}`;
        openAnswer(
          await this.#exchange(connection, writeRequest(null, 'accept_connection', [name], {}), steps),
          undefined,
        );
        return connection;
      } catch (error) {
        this.#drop(connection);
        throw error;
      }
    } catch (error) {
      this.#calls--;
      this.#waiting.serve();
      throw error;
    }
  }

  async #connect(steps: Steps): Promise<Connection<unknown>> {
    if (this.#closed) throw new ClosedError('ManagerClient');
    const { address, connect, remote, maxMessageBytes } = this.#options;
    const authkey = this.#authkey;
    let connection: Connection<unknown>;
    if (address !== undefined) {
      connection = await Client(address, { authkey, remote, maxMessageBytes, ...steps.limits });
      limitSilence(connection, this.#silence);
    } else {
      const made = (async () => await (connect as NonNullable<typeof connect>)())();
      const stream = await limited(made, steps.limits, 'connect').catch((error: unknown) => {
        // A stream that comes later has no other owner.
        made.then((late) => late.destroy()).catch(() => undefined);
        throw error;
      });
      connection = connectionOver(stream, { maxMessageBytes });
      try {
        await authenticate(connection, authenticateListener(authkey), steps.limits);
      } catch (error) {
        connection.close();
        throw error;
      }
    }
    if (this.#closed) {
      connection.close();
      throw new ClosedError('ManagerClient');
    }
    this.#open.add(connection);
    return connection;
  }

  #drop(connection: Connection<unknown>): void {
    this.#open.delete(connection);
    connection.close({ discard: true });
  }
}

makeFair(ManagerClient, 'connect');
makeFair(ManagerClient.prototype, 'create', 'numberOfObjects', 'debugInfo', 'shutdown', 'close', Symbol.asyncDispose);
