// SPDX-License-Identifier: MIT
//
// A connected socket as an ordinary Connection.
import { Connection } from '../connection/connection.js';
import { checkOptions, type ConnectionOptions } from '../connection/options.js';
import { native } from '../native/addon.js';
import { codecFor } from '../serialization/codec.js';

/** Checks the options of Connections that are made later, and returns a copy of them. */
export function checkSocketOptions(options: ConnectionOptions): ConnectionOptions {
  checkOptions(options, true);
  if (options.serialization !== undefined) codecFor(options.serialization);
  return {
    serialization: options.serialization,
    takesConnections: options.takesConnections,
    maxMessageBytes: options.maxMessageBytes,
    // Only this process has the socket, as it has the ends of a Pipe.
    readAhead: options.readAhead ?? true,
    spinMicros: options.spinMicros,
    asyncSpinMicros: options.asyncSpinMicros,
    exitFlushMs: options.exitFlushMs,
  };
}

/**
 * Makes the Connection for a socket of which only this process has a descriptor. If that fails, the descriptor is
 * closed.
 */
export function adoptSocket(fd: number, options: ConnectionOptions): Connection<unknown> {
  try {
    return Connection.fromFd(fd, options);
  } catch (error) {
    native.closeDescriptor(fd);
    throw error;
  }
}
