// SPDX-License-Identifier: MIT
//
// The pool's side of the connections to one worker. Each worker has its own, and no lock: what happens to one worker concerns
// no other.
import type { Channel } from '../connection/channel.js';
import { Connection } from '../connection/connection.js';
import type { ReportedFailure } from '../core/error-report.js';
import type { TaskMessage, WorkerMessage } from './protocol.js';

/** How many messages are handled before other events have their turn. */
const MESSAGES_PER_TURN = 64;

/** What is told of a worker. */
export interface LinkListener {
  message(message: WorkerMessage): void;
  /** No more messages will come: the worker has closed its end, or has written something else than messages. */
  end(): void;
}

/** The connections to a worker, in the form of its language. */
export abstract class WorkerLink {
  protected readonly connection: Connection;
  readonly #channel: Channel;
  #listener: LinkListener | undefined;

  constructor(connection: Connection) {
    this.connection = connection.unref();
    this.#channel = Connection.internals(connection).channel;
  }

  /** Sends a task. Rejects if a value cannot be serialised, or if the worker is gone. */
  abstract sendTask(message: TaskMessage): Promise<void>;

  /** Says something about a task, if the worker is still there. */
  abstract control(kind: number, task: number, count?: number): void;

  /** Asks the worker to end after its task. */
  abstract exit(): void;

  /** The next message that has arrived. Throws at the end of data. */
  protected abstract receive(): WorkerMessage | undefined;

  /** Why the task failed, from an `error` message. */
  abstract errorOf(message: WorkerMessage): Error;

  /** Why the worker cannot run tasks, from a `failed` message. */
  abstract failureOf(message: WorkerMessage): ReportedFailure;

  /** Calls the listener for each message from now on. */
  listen(listener: LinkListener): void {
    this.#listener = listener;
    this.#listenOnce();
  }

  /** Handles what a worker that has ended had written whole. */
  drain(): void {
    const listener = this.#listener;
    if (listener === undefined || this.connection.closed) return;
    try {
      // A large message is read in parts, so there may be more although no message is whole.
      for (let more = true; more; more = this.#channel.readyToRead()) this.#handle(listener, Infinity);
    } catch {
      // The end of data.
    }
  }

  /** Closes this side. */
  close(): void {
    this.#listener = undefined;
    this.connection.close({ discard: true });
  }

  #listenOnce(): void {
    this.#channel.onceReadable(() => {
      this.#serve();
    });
  }

  readonly #serve = (): void => {
    const listener = this.#listener;
    if (listener === undefined || this.connection.closed) return;
    let all: boolean;
    try {
      all = this.#handle(listener, MESSAGES_PER_TURN);
    } catch {
      // The end of data; or bytes that are no messages.
      listener.end();
      return;
    }
    // Messages in memory are not reported by the system.
    if (all) this.#listenOnce();
    else setImmediate(this.#serve);
  };

  /** Returns whether all messages were handled. Throws at the end of data. */
  #handle(listener: LinkListener, most: number): boolean {
    for (let count = 0; count < most; count++) {
      const message = this.connection.closed ? undefined : this.receive();
      if (message === undefined) return true;
      listener.message(message);
    }
    return false;
  }
}
