// SPDX-License-Identifier: MIT
//
// The conversation between a process and a child that it has started, over one socketpair. First the parent sends what the
// child is to do. Then a Node child, or a Python child of a Node parent, reports. After that the channel carries nothing, and
// its end tells each side of the end of the other.
import { Channel } from '../connection/channel.js';
import { ChannelSerialization } from '../connection/channel-format.js';
import { Connection } from '../connection/connection.js';
import { checkOptions } from '../connection/options.js';
import { EOFError, type ChildFailure } from '../core/errors.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import type { ObjectGraph } from '../reduction/object-graph.js';
import type { Role } from './current-process.js';

/** Arguments as a Python process sends them. */
export interface PickledArguments {
  /** The pickle of a list. */
  readonly pickle: Buffer;
  /** The number of each descriptor that the pickle refers to, and what it leads to: device and inode. */
  readonly descriptors: readonly (readonly [number, string, string])[];
  /** A descriptor whose end tells the parent of the end of this process. */
  readonly sentinel: number;
}

/** What a child is told first. */
export interface Preparation {
  /** The URL of the module. */
  readonly module: string;
  /** The name of the function among its exports. */
  readonly target: string;
  readonly args: ObjectGraph | PickledArguments;
  readonly role: Omit<Role, 'channel'>;
  /** The family that the child belongs to, and the descriptor that makes it a member. */
  readonly family?: { readonly family: string; readonly fd: number } | undefined;
}

/** What a child reports. */
export type Report = { readonly type: 'attached' } | ({ readonly type: 'failed' } & ChildFailure);

/** The parent's end of the conversation. */
export class BootstrapChannel {
  readonly #channel: Channel;
  readonly #connection: Connection<Preparation, Report>;
  #onReport: ((report: Report) => void) | undefined;

  private constructor(channel: Channel, format: ChannelSerialization) {
    this.#channel = channel;
    this.#connection = Connection.over(channel, format);
  }

  /**
   * A new channel, and the child's end of it, which the caller closes.
   *
   * @param node Whether the child uses this package.
   */
  static pair(node: boolean): [BootstrapChannel, Connection] {
    const format = new ChannelSerialization(node ? 'structured' : 'pickle', false);
    const [ours, theirs] = Channel.pair(true, checkOptions({ asyncSpinMicros: 0 }, true));
    return [new BootstrapChannel(ours, format), Connection.over(theirs, format)];
  }

  /** The number of the descriptor. */
  get fd(): number {
    return this.#connection.fileno();
  }

  /** Sends what a Node child is to do. */
  send(preparation: Preparation): Promise<void> {
    return this.#connection.send(preparation);
  }

  /** Sends bytes as they are, for a child that reads no messages. */
  sendUnframed(bytes: Uint8Array): Promise<void> {
    return this.#channel.sender.sendUnframed(bytes, new KeepAlive());
  }

  /** Listens for what the child reports, without keeping the event loop alive. */
  listen(onReport: (report: Report) => void): void {
    this.#onReport = onReport;
    this.#listenOnce();
  }

  /** The child has ended: reads its last reports. */
  end(): void {
    if (this.#onReport !== undefined) this.#readReports();
    this.close();
  }

  /** Ends the conversation. What was not written is dropped. */
  close(): void {
    this.#connection.close({ discard: true });
  }

  #listenOnce(): void {
    this.#channel.onceReadable(() => {
      if (this.#connection.closed) return;
      if (this.#readReports()) this.#listenOnce();
    });
  }

  /** False once there will be no more. */
  #readReports(): boolean {
    try {
      for (;;) {
        const received = this.#connection.tryRecv();
        if (received === undefined) return true;
        this.#onReport?.(received.value);
      }
    } catch (error) {
      // A child that is killed in the middle of a report, or before it has read everything, has nothing more to say.
      if (error instanceof EOFError || (error as { code?: unknown }).code !== undefined) return false;
      throw error;
    }
  }
}
