// SPDX-License-Identifier: MIT
import type { Duplex } from 'node:stream';

import type { WaitOptions } from '../../core/deadline.js';
import { optionNames, type Bytes } from '../../core/validate.js';
import type { SocketAddress } from '../../listener/socket-address.js';

/** Options of a ManagerClient. */
export interface ManagerClientOptions extends WaitOptions {
  /** Where the manager listens. */
  address?: SocketAddress | undefined;
  /** In the place of an address: makes a stream that is connected to the manager, such as a TLSSocket. */
  connect?: (() => Duplex | Promise<Duplex>) | undefined;
  /** The secret of the manager. CPython: `authkey`. */
  authkey: Bytes;
  /** Allows addresses other than those of this machine's loopback interface. Nothing is encrypted. Default false. */
  remote?: boolean | undefined;
  /** Longest message that is received, in bytes. Default 1 GiB. */
  maxMessageBytes?: number | undefined;
  /**
   * For how long the host of the manager may give no sign of life, in milliseconds, before calls reject with `ETIMEDOUT`; null:
   * as long as the system bears it. At least 1000. Default 60000. Concerns TCP.
   */
  keepAlive?: number | null | undefined;
  /**
   * Most calls of methods at a time; further ones wait. Each takes a connection, and a thread of a manager in Python. With 1,
   * all calls come from the same thread there, as the owner of an `RLock` must. Default 16.
   */
  maxConnections?: number | undefined;
}

/** @internal */
export const clientNames = optionNames<ManagerClientOptions>({
  address: true,
  connect: true,
  authkey: true,
  remote: true,
  maxMessageBytes: true,
  keepAlive: true,
  maxConnections: true,
  timeout: true,
  signal: true,
});

/** Options of a call. */
export interface ManagerCallOptions extends WaitOptions {
  /** Arguments by name. */
  kwargs?: Readonly<Record<string, unknown>> | undefined;
}

/** @internal */
export const callNames = optionNames<ManagerCallOptions>({ kwargs: true, timeout: true, signal: true });
