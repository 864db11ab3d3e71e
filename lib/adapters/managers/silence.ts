// SPDX-License-Identifier: MIT
//
// Hosts that vanish. TCP tells nothing of them while no bytes are on their way.
import { Connection } from '../../connection/connection.js';
import { checkInteger } from '../../core/validate.js';
import { native } from '../../native/addon.js';

const DEFAULT_MS = 60_000;
const LONGEST_MS = 2 ** 31 - 1;

/** Checks the option `keepAlive`. */
export function checkKeepAlive(ms: number | null | undefined): number {
  if (ms === undefined) return DEFAULT_MS;
  if (ms === null || ms === Infinity) return Infinity;
  checkInteger(ms, 'keepAlive', 1000, LONGEST_MS);
  return ms;
}

/** Ends a connection when its other host gives no sign of life. Unix sockets have no other host. */
export function limitSilence(connection: Connection<unknown>, ms: number): void {
  if (ms !== Infinity) native.sockets.limitSilence(Connection.internals(connection).channel.fd, ms);
}
