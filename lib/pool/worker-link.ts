// SPDX-License-Identifier: MIT
//
// The pool's side of the connections to one worker. Each worker has its own, and no lock: what happens to one worker concerns
// no other.
import type { Channel } from '../connection/channel.js';
import { Connection, kSendIn } from '../connection/connection.js';
import type { ReportedFailure } from '../core/error-report.js';
import type { MessageContext } from '../reduction/attachments.js';
import type { Control, TaskMessage, WorkerMessage } from './protocol.js';
import { setImmediate } from '../core/own-turns.js';

/** How many messages are handled before other events have their turn. */
const MESSAGES_PER_TURN = 64;

const END = Symbol('end');

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
  /** Whether what belongs to a message has yet to come. */
  #waits = false;
  /**
   * Whether the worker has ended before it had read all that it was sent: then Linux reports ECONNRESET in the place of the
   * end of data.
   */
  leftUnread = false;

  constructor(connection: Connection) {
    this.connection = connection.unref();
    this.#channel = Connection.internals(connection).channel;
  }

  /** The native id of the endpoint over which tasks go. */
  get endpoint(): number {
    return this.#channel.id;
  }

  /** Sends a task. Rejects if a value cannot be serialised, or if the worker is gone. */
  abstract sendTask(message: TaskMessage, context: MessageContext): Promise<void>;

  /** Says something about an attempt of a task, if the worker is still there. */
  abstract control(kind: Control, ticket: number, count?: number): void;

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

  protected send(message: MessageContext, row: unknown): Promise<void> {
    return this.connection[kSendIn](message, row);
  }

  /** Handles what a worker that has ended had written whole. */
  drain(): void {
    const listener = this.#listener;
    // What has yet to come for a message will not come any more.
    if (listener === undefined || this.#waits || this.connection.closed) return;
    for (;;) {
      const message = this.#next();
      if (message === END || message?.whole !== undefined) return;
      if (message !== undefined) listener.message(message);
      // A large message is read in parts, so there may be more although no message is whole.
      else if (!this.#channel.readyToRead()) return;
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
    for (let count = 0; count < MESSAGES_PER_TURN; count++) {
      const message = this.#next();
      if (message === undefined) {
        this.#listenOnce();
        return;
      }
      if (message === END) {
        listener.end();
        return;
      }
      if (message.whole !== undefined) {
        this.#waits = true;
        void message.whole.then(() => {
          this.#waits = false;
          this.#listener?.message(message);
          this.#serve();
        });
        return;
      }
      listener.message(message);
    }
    // Messages in memory are not reported by the system.
    setImmediate(this.#serve);
  };

  /** The next message, if there is one. After a message the listener may have closed this link. */
  #next(): WorkerMessage | typeof END | undefined {
    if (this.connection.closed) return END;
    try {
      return this.receive();
    } catch (error) {
      // The end of data; or bytes that are no messages.
      if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') this.leftUnread = true;
      return END;
    }
  }
}
