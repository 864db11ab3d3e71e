// SPDX-License-Identifier: MIT
//
// The Node worker: digests what arrives on descriptor 3 and ends when there is nothing more to come.
import { createHash } from 'node:crypto';

import * as mp from 'node-multiprocessing';

import { DROP, LAST } from './protocol.mjs';

const connection = mp.Connection.fromFd(3);
let hash = createHash('sha256');
try {
  for (;;) {
    const message = await connection.recvBytes();
    const kind = message[0];
    if (kind !== DROP) hash.update(message.subarray(1));
    if (kind === LAST) await connection.sendBytes(hash.digest());
    if (kind === LAST || kind === DROP) hash = createHash('sha256');
  }
} catch (error) {
  if (!(error instanceof mp.EOFError)) {
    // The parent ended in the middle of something.
    console.error(`worker.mjs: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
