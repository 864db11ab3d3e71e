// SPDX-License-Identifier: MIT
//
// flood write|read <size>: keeps the pipe on descriptor 3 always full, or always empty, until the other end closes.
import { Connection } from 'node-multiprocessing';

const [way, size] = process.argv.slice(2);
const connection = Connection.fromFd(3);
const message = Buffer.alloc(Number(size));
try {
  for (;;) {
    if (way === 'write') connection.sendBytesSync(message);
    else connection.recvBytesSync();
  }
} catch (error) {
  const { code } = error as { code: string };
  if (!['EPIPE', 'ECONNRESET', 'ERR_MP_EOF', 'ERR_MP_TRUNCATED'].includes(code)) throw error;
}
