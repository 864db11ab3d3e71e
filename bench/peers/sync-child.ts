// SPDX-License-Identifier: MIT
import * as mp from 'node-multiprocessing';

import { jobFromArguments, makeBuffer } from '../job.js';
import { inheritedEnds } from './ours-options.js';

const [kind, spin, ...rest] = process.argv.slice(2);
const job = jobFromArguments(rest);
const { receive, send } = inheritedEnds(kind, spin);
const message = makeBuffer(job.sizeBytes);
const acknowledgement = Buffer.from(Uint8Array.of(1));

try {
  for (;;) {
    if (job.mode === 'round-trip') {
      receive.recvBytesIntoSync(message);
      send.sendBytesSync(message);
    } else {
      for (let i = 0; i < job.batch; i++) receive.recvBytesIntoSync(message);
      send.sendBytesSync(acknowledgement);
    }
  }
} catch (error) {
  // The parent has closed its end: the trial is over.
  if (!(error instanceof mp.EOFError)) throw error;
}
