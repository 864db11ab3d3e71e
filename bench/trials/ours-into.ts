// SPDX-License-Identifier: MIT
import { jobToArguments, makeBuffer } from '../job.js';
import { sendAll, sendWindow } from './ours-async.js';
import type { Kind, NodeTrial } from './trial.js';

function intoTrial(kind: Exclude<Kind, 'channel'>): NodeTrial {
  return {
    id: `into/${kind}`,
    label: `ours, async into a Buffer, ${kind}`,
    kind,
    settings:
      `${kind === 'socketpair' ? 'Pipe()' : 'Pipe(false) x 2'}; await sendBytes, await recvBytesInto (the same Buffer ` +
      `each time, at both ends); readAhead: true; one-way sends are awaited ${sendWindow} at a time; asyncSpinMicros: default`,
    workloads: ['round-trip-64k', 'round-trip-1m', 'one-way-1m'],
    async open(job, payload) {
      const { connectChild } = await import('./ours.js');
      const { receive, send } = connectChild('peers/into-child', kind, 'default', jobToArguments(job));
      const target = makeBuffer(payload.length);
      return {
        async roundTrips(count) {
          for (let i = 0; i < count; i++) {
            await send.sendBytes(payload);
            await receive.recvBytesInto(target);
          }
        },
        async oneWay(count) {
          await sendAll(send, payload, count);
          await receive.recvBytes();
        },
        lastReply: () => (job.mode === 'round-trip' ? target : payload),
        close() {
          receive.close();
          send.close();
        },
      };
    },
  };
}

export const trials = [intoTrial('socketpair'), intoTrial('pipe')];
