// SPDX-License-Identifier: MIT
//
// The program that `syscalls.ts` traces: `exchange.js <kind> <sync|async|two-processes> <size> <count> <readAhead>`.
//
// `sync` and `async` hold both ends in one process and receive each message after it was sent, so nothing ever waits
// and the calls are exactly those of sending and receiving. `two-processes` sends to a child, for messages that do not
// fit the kernel's buffer.
import * as mp from 'node-multiprocessing';

import { jobToArguments, makePayload } from '../job.js';
import { connectChild } from '../trials/ours.js';

const [kind, style, sizeText, countText, readAheadText] = process.argv.slice(2);
if (kind !== 'socketpair' && kind !== 'pipe') throw new TypeError(`no such kind: ${kind}`);
const count = Number(countText);
const payload = makePayload(Number(sizeText));
const target = Buffer.allocUnsafeSlow(payload.length);

function endsHere(): { send: mp.Connection; receive: mp.Connection } {
  const options = { readAhead: readAheadText === 'true', spinMicros: 0 };
  if (kind === 'pipe') {
    const [receive, send] = mp.Pipe(false, options);
    return { receive, send };
  }
  const [send, receive] = mp.Pipe(true, options);
  return { send, receive };
}

if (style === 'two-processes') {
  const job = { mode: 'one-way', sizeBytes: payload.length, batch: count, warmUpMs: 0, measuredMs: 0 } as const;
  const { send, receive } = connectChild('peers/sync-child', kind, 'none', jobToArguments(job));
  for (let i = 0; i < count; i++) send.sendBytesSync(payload);
  receive.recvBytesIntoSync(target);
  send.close();
  receive.close();
} else {
  const { send, receive } = endsHere();
  for (let i = 0; i < count; i++) {
    if (style === 'sync') {
      send.sendBytesSync(payload);
      receive.recvBytesIntoSync(target);
    } else {
      await send.sendBytes(payload);
      await receive.recvBytesInto(target);
    }
  }
  send.close();
  receive.close();
}
process.stdout.write(`${JSON.stringify({ pid: process.pid })}\n`);
