// SPDX-License-Identifier: MIT
//
// The conversation between a process and a Node child that it has started, over one socketpair: first what the child is to
// do, then what the child reports, unless the parent is a Python process. After that the channel carries nothing, and its
// end tells each of the end of the other.
import { Connection } from '../connection/connection.js';
import type { Role } from './current-process.js';
import { EOFError, type ChildFailure } from '../core/errors.js';
import type { PickledArguments } from '../python/rebuild.js';
import type { SharedValue } from '../reduction/object-graph.js';

/** What a child is told first. */
export interface Preparation {
  /** The URL of the module. */
  readonly module: string;
  /** The name of the function among its exports. */
  readonly target: string;
  readonly args: SharedValue | PickledArguments;
  readonly role: Omit<Role, 'channel'>;
  /** The family that the child belongs to, and the descriptor that makes it a member. */
  readonly family?: { readonly family: string; readonly fd: number } | undefined;
}

/** What it reports. */
export type Report = { readonly type: 'attached' } | ({ readonly type: 'failed' } & ChildFailure);

/** Listens for what a child reports, without keeping the event loop alive. */
export class Reports {
  readonly #connection: Connection<unknown, Report>;
  readonly #onReport: (report: Report) => void;

  constructor(connection: Connection<unknown, Report>, onReport: (report: Report) => void) {
    this.#connection = connection;
    this.#onReport = onReport;
    this.#listen();
  }

  /** The child has ended: takes what it has reported last. */
  end(): void {
    this.#take();
    this.#connection.close({ discard: true });
  }

  #listen(): void {
    Connection.partsOf(this.#connection).channel.onceReadable(() => {
      if (this.#connection.closed) return;
      if (this.#take()) this.#listen();
    });
  }

  /** False once there will be no more. */
  #take(): boolean {
    try {
      for (;;) {
        const received = this.#connection.tryRecv();
        if (received === undefined) return true;
        this.#onReport(received.value);
      }
    } catch (error) {
      // A child that is killed in the middle of a report, or while it has not read everything, has nothing more to say.
      if (error instanceof EOFError || (error as { code?: unknown }).code !== undefined) return false;
      throw error;
    }
  }
}
