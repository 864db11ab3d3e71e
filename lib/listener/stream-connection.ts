// SPDX-License-Identifier: MIT
//
// A stream that is connected, such as a socket with TLS, as an ordinary Connection.
import type { Duplex } from 'node:stream';

import type { Connection } from '../connection/connection.js';
import type { ConnectionOptions } from '../connection/options.js';
import { Pipe } from '../connection/pipe.js';
import { argumentError, systemError } from '../core/errors.js';
import { native } from '../native/addon.js';

function ignore(): void {
  // The Connection meets the end of the stream.
}

/** The Connection closes when the stream ends, and the stream is destroyed when the Connection closes. */
export function connectionOver(stream: Duplex, options: ConnectionOptions): Connection<unknown> {
  if (typeof (stream as unknown as { pipe?: unknown } | null)?.pipe !== 'function') {
    throw argumentError('type', 'stream must be a Duplex, such as a TLSSocket');
  }
  const [ours, theirs] = Pipe(true, { takesConnections: false, ...options });
  const fd = native.duplicate(theirs.fileno());
  theirs.close();
  if (fd < 0) {
    ours.close();
    throw systemError(fd, 'fcntl');
  }
  // The socket makes the descriptor non-blocking, which concerns no other end: this one is nowhere else.
  const { Socket } = process.getBuiltinModule('node:net');
  const { pipeline } = process.getBuiltinModule('node:stream');
  const inner = new Socket({ fd, readable: true, writable: true });
  pipeline(stream, inner, stream, ignore);
  return ours;
}
