// SPDX-License-Identifier: MIT
import { jobToArguments } from '../job.js';
import type { Kind, NodeTrial } from './trial.js';

/** Sends between two looks at whether all of them are written. */
const sendWindow = 500;

function batchesTrial(kind: Exclude<Kind, 'channel'>): NodeTrial {
  return {
    id: `batches/${kind}`,
    label: `ours, batches of views, ${kind}`,
    kind,
    settings:
      `${kind === 'socketpair' ? 'Pipe()' : 'Pipe(false) x 2'}; sendBytes, ${sendWindow} in one turn; ` +
      'the receiver iterates over batches(undefined, { bytes: true }) with views: true, which net.Socket hands out, too',
    workloads: ['one-way-64'],
    async open(job, payload) {
      const { connectChild } = await import('./ours.js');
      const { receive, send } = connectChild('peers/batches-child', kind, 'default', jobToArguments(job));
      return {
        roundTrips() {
          throw new TypeError('one way only');
        },
        async oneWay(count) {
          for (let sent = 0; sent < count;) {
            const window: Promise<void>[] = [];
            for (const end = Math.min(count, sent + sendWindow); sent < end; sent++)
              window.push(send.sendBytes(payload));
            await Promise.all(window);
          }
          await receive.recvBytes();
        },
        lastReply: () => payload,
        close() {
          receive.close();
          send.close();
        },
      };
    },
  };
}

export const trials = [batchesTrial('socketpair'), batchesTrial('pipe')];
