// SPDX-License-Identifier: MIT
//
// One connection of a client. A proxy of Python has one for each thread, and makes one call at a time. A short connection
// makes one call of the server itself, such as `create`.
import type { Channel } from '../../connection/channel.js';
import { Connection } from '../../connection/connection.js';
import { PicklingError } from '../../core/errors.js';
import type { Arguments } from './arguments.js';
import {
  ERROR,
  exceptionFor,
  makeToken,
  PROXY,
  readRequest,
  RETURN,
  TRACEBACK,
  tracebackOf,
  UNSERIALIZABLE,
  writeAnswer,
  type Request,
} from './messages.js';
import type { Objects } from './objects.js';
import { forget, type Entry, type Reference } from './reference.js';
import type { Caller, Held } from './served.js';
import { servedAs } from './kinds.js';
import { typeError } from './arguments.js';
import { PythonError } from '../../serialization/pickle/python-error.js';
import { PythonTuple } from '../../serialization/pickle/nodes.js';
import type { SocketAddress } from '../../listener/socket-address.js';
import { setImmediate } from '../../core/own-turns.js';

const NOTHING = writeAnswer(RETURN, null);

/** What a session needs of its server. */
export interface Host {
  readonly objects: Objects;
  readonly address: SocketAddress;
  /** Calls a function of the server itself. */
  call(name: string, args: Arguments): unknown;
}

export class Session implements Caller {
  readonly #connection: Connection<unknown>;
  readonly #channel: Channel;
  readonly #host: Host;
  readonly #held = new Set<Entry>();
  readonly #used = new Set<Reference>();
  #current: Reference | undefined;
  #controller: AbortController | undefined;
  #ended = false;
  /** Whether `serve` will be called when there may be a call. */
  #listening = false;
  /** Whether a method waits. */
  #answering = false;
  /** Ends the connection. */
  #failed!: (error: unknown) => void;

  constructor(connection: Connection<unknown>, host: Host) {
    this.#connection = connection;
    this.#channel = Connection.internals(connection).channel;
    this.#host = host;
  }

  /** Serves the connection until its end. Never rejects. */
  async serve(firstTimeout: number): Promise<void> {
    const connection = this.#connection;
    try {
      const bytes = await connection.recvBytes(undefined, { timeout: firstTimeout });
      if (await this.#first(bytes)) await this.#calls();
    } catch {
      // The client is gone, or does not speak this protocol.
    } finally {
      this.#end();
      connection.close();
    }
  }

  /** Ends the connection. */
  close(): void {
    this.#end();
    this.#connection.close({ discard: true });
  }

  get signal(): AbortSignal {
    return (this.#controller ??= new AbortController()).signal;
  }

  hold(held: Held): void {
    const reference = this.#current as Reference;
    if (this.#ended) held.release(false);
    else {
      const entry = { held, siblings: this.#held, reference, givenUp: reference.givenUp };
      this.#held.add(entry);
      reference.held.add(entry);
    }
  }

  drop(owner: object): void {
    // Another thread of the client may have got it by the same proxy, over a connection of its own.
    for (const entries of [this.#held, this.#current?.held ?? []]) {
      for (const entry of entries) {
        if (entry.held.owner !== owner) continue;
        forget(entry);
        return;
      }
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#controller?.abort();
    for (const reference of this.#used) reference.users--;
    for (const entry of this.#held) {
      forget(entry);
      const { reference } = entry;
      const clean = reference.givenUp > entry.givenUp;
      // Each proxy that is given up explains the end of one connection.
      if (clean && reference.count > 0) reference.givenUp--;
      entry.held.release(clean);
    }
  }

  /** Answers the first request. True if calls of objects follow. */
  async #first(bytes: Buffer): Promise<boolean> {
    try {
      const { name, args } = readRequest(bytes);
      if (name === 'accept_connection') {
        await this.#connection.sendBytes(writeAnswer(RETURN, null));
        return true;
      }
      await this.#connection.sendBytes(writeAnswer(RETURN, this.#host.call(name, args)));
    } catch (error) {
      await this.#connection.sendBytes(writeAnswer(TRACEBACK, tracebackOf(error)));
    }
    return false;
  }

  /** Answers the calls of objects until the end of the connection. */
  #calls(): Promise<never> {
    return new Promise((_, reject) => {
      this.#failed = reject;
      this.#listen();
    });
  }

  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    const { receiver } = this.#channel;
    // Messages in memory are not reported by the system.
    if (receiver.ready) setImmediate(this.#serve);
    else this.#channel.onceReadable(this.#serve);
  }

  /** Answers a call at once, without promises, if its method does not wait. */
  readonly #serve = (): void => {
    try {
      this.#listening = false;
      const bytes = this.#connection.tryRecvBytes();
      if (bytes === undefined) {
        this.#listen();
        return;
      }
      if (this.#answering) throw typeError('A client must wait for the answer to its call');
      // The client asks for something else, so it has received the answer of before.
      for (const entry of this.#held) if (entry.held.untilNextCall) forget(entry);
      const answer = this.#answer(bytes);
      if (answer instanceof Promise) {
        this.#answering = true;
        answer.then((later) => {
          this.#answering = false;
          this.#send(later);
        }, this.#failed);
        // The end of the connection can come before the answer.
        this.#listen();
      } else if (this.#send(answer)) this.#listen();
    } catch (error) {
      this.#failed(error);
    }
  };

  /** Sends an answer. False if it has to wait, during which no other call is read. */
  #send(answer: Buffer): boolean {
    const sent = this.#connection.sendBytes(answer);
    if (!this.#channel.sender.pending) {
      sent.catch(this.#failed);
      return true;
    }
    sent.then(() => this.#listen(), this.#failed);
    return false;
  }

  /** The answer to a call, whatever is wrong with the call. */
  #answer(bytes: Buffer): Buffer | Promise<Buffer> {
    let request: Request;
    let reference: Reference;
    let result: unknown;
    try {
      request = readRequest(bytes);
      reference = this.#use(this.#host.objects.find(request.id));
      if (!reference.served.has(request.name)) return this.#fallback(reference, request);
    } catch (error) {
      return writeAnswer(TRACEBACK, tracebackOf(error));
    }
    try {
      result = reference.served.call(request.name, request.args, this);
      if (result instanceof Promise) {
        return result.then(
          (value) => this.#success(reference, request, value),
          (error: unknown) => failure(error),
        );
      }
      return this.#success(reference, request, result);
    } catch (error) {
      return failure(error);
    }
  }

  #use(reference: Reference): Reference {
    this.#current = reference;
    if (!this.#used.has(reference)) {
      this.#used.add(reference);
      reference.users++;
    }
    return reference;
  }

  #success({ served }: Reference, { name }: Request, result: unknown): Buffer {
    const typeid = served.proxyTypeOf(name);
    try {
      // What most methods return.
      if (result === null || result === undefined) return NOTHING;
      if (typeid === undefined) return writeAnswer(RETURN, result);
      const inner = servedAs(result);
      if (inner === undefined) throw typeError(`${name}() made nothing that a manager can serve`);
      const { id } = this.#host.objects.add(inner);
      const token = makeToken(typeid, this.#host.address, id);
      return writeAnswer(PROXY, new PythonTuple([new PythonTuple(inner.exposed), token]));
    } catch (error) {
      return writeAnswer(UNSERIALIZABLE, tracebackOf(error));
    }
  }

  /** What Python asks of every object. */
  #fallback({ served }: Reference, { name }: Request): Buffer {
    if (name === '__str__' || name === '__repr__') return writeAnswer(RETURN, served.describe());
    if (name === '#GETVALUE' && served.value !== undefined) return writeAnswer(RETURN, served.value());
    throw new PythonError('AttributeError', [`the object has no method ${name}; it has ${served.exposed.join(', ')}`]);
  }
}

function failure(error: unknown): Buffer {
  try {
    return writeAnswer(ERROR, exceptionFor(error));
  } catch (reason) {
    if (!(reason instanceof PicklingError)) throw reason;
    return writeAnswer(TRACEBACK, tracebackOf(error));
  }
}
