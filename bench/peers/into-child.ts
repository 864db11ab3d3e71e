// SPDX-License-Identifier: MIT
import * as mp from 'node-multiprocessing';

import { jobFromArguments, makeBuffer } from '../job.js';
import { inheritedEnds } from './ours-options.js';

const [kind, spin, ...rest] = process.argv.slice(2);
const { sizeBytes } = jobFromArguments(rest);
const { receive, send } = inheritedEnds(kind, spin);
const target = makeBuffer(sizeBytes);

try {
  for (;;) {
    await receive.recvBytesInto(target);
    await send.sendBytes(target);
  }
} catch (error) {
  // The parent has closed its end: the trial is over.
  if (!(error instanceof mp.EOFError)) throw error;
}
