// SPDX-License-Identifier: MIT
//
// The protocol between a process and a child that it starts, over one socketpair. First the parent sends the
// preparation. Then a Node child, or a Python child of a Node parent, sends reports. After that the channel carries no
// data, and the end of data tells each side that the other has ended.
import { Channel } from '../connection/channel.js';
import { ChannelFormat } from '../connection/channel-format.js';
import { Connection } from '../connection/connection.js';
import { checkOptions } from '../connection/options.js';
import type { ReportedFailure } from '../core/error-report.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import type { ObjectGraph } from '../serialization/structured/object-graph.js';
import type { Role } from './current-process.js';

/** Arguments in the form in which a Python process sends them. */
export interface PickledArguments {
  /** The pickle of a list. */
  readonly pickle: Buffer;
  /** Each descriptor that the pickle refers to: its number, and the device and inode of its file. */
  readonly descriptors: readonly (readonly [number, string, string])[];
  /** A descriptor that is closed only by the end of this process, which tells the parent of that end. */
  readonly sentinel: number;
}

/** The first message to a child: the function to run, its arguments, and the role of the child. */
export interface Preparation {
  /** The URL of the module. */
  readonly module: string;
  /** The name under which the module exports the function. */
  readonly target: string;
  readonly args: ObjectGraph | PickledArguments;
  readonly role: Omit<Role, 'channel'>;
  /** Whether it ends with its parent. A Python parent does not say so: there, daemons do. */
  readonly endsWithParent?: boolean | undefined;
  /** The family that the child joins, and the descriptor that makes it a member. */
  readonly family?: { readonly family: string; readonly fd: number } | undefined;
}

/** A report that a child sends to its parent: it has taken over its arguments, it calls its function, or it fails. */
export type Report = { readonly type: 'attached' | 'running' } | ({ readonly type: 'failed' } & ReportedFailure);

const STAGES: readonly unknown[] = ['attach', 'import', 'export', 'run'] satisfies ReportedFailure['stage'][];

/**
 * A received value as a report; undefined if it is none. A function can find the channel and write anything to it, and its
 * parent must not fail for that.
 */
function reportFrom(value: unknown): Report | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { type, stage, message, stack } = value as Record<string, unknown>;
  if (type === 'attached' || type === 'running') return { type };
  const isFailure = type === 'failed' && STAGES.includes(stage);
  return isFailure && typeof message === 'string' && typeof stack === 'string' ? (value as Report) : undefined;
}

/** The parent's end of the bootstrap channel. */
export class BootstrapChannel {
  readonly #channel: Channel;
  readonly #connection: Connection<Preparation, unknown>;
  #onReport: ((report: Report) => void) | undefined;
  #onEnd: (() => void) | undefined;

  private constructor(channel: Channel, format: ChannelFormat) {
    this.#channel = channel;
    this.#connection = Connection.over(channel, format);
  }

  /**
   * Makes a new channel. Returns it and the child's end, which the caller closes.
   *
   * @param node Whether the child uses this package.
   */
  static pair(node: boolean): [BootstrapChannel, Connection] {
    const format = new ChannelFormat(node ? 'structured' : 'pickle', false);
    const [ours, theirs] = Channel.pair(true, checkOptions({ asyncSpinMicros: 0 }, true));
    return [new BootstrapChannel(ours, format), Connection.over(theirs, format)];
  }

  /** The number of the parent's descriptor. */
  get fd(): number {
    return this.#connection.fileno();
  }

  /** Sends the preparation to a Node child. */
  send(preparation: Preparation): Promise<void> {
    return this.#connection.send(preparation);
  }

  /** Sends bytes without framing, for a child that reads no messages. */
  sendUnframed(bytes: Uint8Array): Promise<void> {
    return this.#channel.sender.sendUnframed(bytes, new KeepAlive());
  }

  /**
   * Listens for reports of the child, without keeping the event loop alive.
   *
   * @param onEnd Called once no further report can arrive, which usually means that the child is about to end.
   */
  listen(onReport: (report: Report) => void, onEnd: () => void): void {
    this.#onReport = onReport;
    this.#onEnd = onEnd;
    this.#listenOnce();
  }

  /** Reads the last reports of a child that has ended, and closes the channel. */
  end(): void {
    if (this.#onReport !== undefined) this.#readReports();
    this.close();
  }

  /** Closes the channel. Unwritten data is dropped. */
  close(): void {
    this.#connection.close({ discard: true });
  }

  #listenOnce(): void {
    this.#channel.onceReadable(() => {
      if (this.#connection.closed) return;
      if (this.#readReports()) this.#listenOnce();
      else this.#onEnd?.();
    });
  }

  /** Returns false once no further report can arrive. Never throws. */
  #readReports(): boolean {
    try {
      for (;;) {
        const received = this.#connection.tryRecv();
        if (received === undefined) return true;
        const report = reportFrom(received.value);
        if (report !== undefined) this.#onReport?.(report);
      }
    } catch {
      // The end of data; or bytes that are no messages, after which none can be found. What the child has not reported
      // counts as not reached.
      return false;
    }
  }
}
