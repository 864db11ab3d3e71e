// SPDX-License-Identifier: MIT
import { jobFromArguments } from '../job.js';
import { inheritedEnds } from './ours-options.js';

const [kind, spin, ...rest] = process.argv.slice(2);
const job = jobFromArguments(rest);
const { receive, send } = inheritedEnds(kind, spin, { views: true });
const acknowledgement = Buffer.from(Uint8Array.of(1));

let received = 0;
for await (const batch of receive.batches(undefined, { bytes: true })) {
  received += batch.length;
  if (received === job.batch) {
    received = 0;
    await send.sendBytes(acknowledgement);
  }
}
