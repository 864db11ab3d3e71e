// SPDX-License-Identifier: MIT
import * as mp from 'node-multiprocessing';

import { jobFromArguments, makeBuffer } from '../job.js';
import { inheritedEnds } from './ours-options.js';

const [kind, spin, ...rest] = process.argv.slice(2);
const { mode, sizeBytes, batch } = jobFromArguments(rest);
const { receive, send } = inheritedEnds(kind, spin);
const target = makeBuffer(sizeBytes);
const acknowledgement = Buffer.from(Uint8Array.of(1));

try {
  for (;;) {
    for (let i = 0; i < (mode === 'round-trip' ? 1 : batch); i++) await receive.recvBytesInto(target);
    await send.sendBytes(mode === 'round-trip' ? target : acknowledgement);
  }
} catch (error) {
  // The parent has closed its end: the trial is over.
  if (!(error instanceof mp.EOFError)) throw error;
}
