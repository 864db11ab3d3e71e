// SPDX-License-Identifier: MIT
//
// sync-without-spin <duplex|pipes> <listens|plain>: echoes messages with Sync calls that do not spin, until the end of data.
// With "listens", JavaScript listens for a signal, and the process counts how often it interrupted a call.
import { writeSync } from 'node:fs';

import { Connection, EOFError, InterruptedError } from 'node-multiprocessing';

const [, , ends, how] = process.argv;
const reader = Connection.fromFd(3, { spinMicros: 0 });
const writer = ends === 'pipes' ? Connection.fromFd(4, { spinMicros: 0 }) : reader;
let interrupted = 0;
if (how === 'listens') process.on('SIGUSR2', () => undefined);
writeSync(1, 'ready\n');
for (;;) {
  try {
    writer.sendBytesSync(reader.recvBytesSync());
  } catch (error) {
    if (error instanceof EOFError) break;
    if (!(error instanceof InterruptedError)) throw error;
    interrupted++;
    writeSync(1, 'interrupted\n');
  }
}
writeSync(1, `end ${interrupted}\n`);
