// SPDX-License-Identifier: MIT
import { jobToArguments, makeBuffer } from '../job.js';
import type { Kind, NodeTrial } from './trial.js';

function syncTrial(kind: Exclude<Kind, 'channel'>, spins: boolean): NodeTrial {
  const spinSetting = spins ? 'default' : 'none';
  return {
    id: `${spins ? 'spin' : 'sync'}/${kind}`,
    label: `ours, sync${spins ? ', spinning' : ''}, ${kind}`,
    kind,
    settings:
      `${kind === 'socketpair' ? 'Pipe()' : 'Pipe(false) x 2'}; sendBytesSync and recvBytesIntoSync into one buffer; readAhead: true; ` +
      `spinMicros: ${spins ? 'default' : '0'}`,
    async open(job, payload) {
      // Loaded here instead of at the top, so that the processes of other peers run without the addon.
      const { connectChild } = await import('./ours.js');
      const { receive, send } = connectChild('peers/sync-child', kind, spinSetting, jobToArguments(job));
      const reply = makeBuffer(payload.length);
      return {
        roundTrips(count) {
          for (let i = 0; i < count; i++) {
            send.sendBytesSync(payload);
            receive.recvBytesIntoSync(reply);
          }
        },
        oneWay(count) {
          for (let i = 0; i < count; i++) send.sendBytesSync(payload);
          receive.recvBytesIntoSync(reply);
        },
        lastReply: () => reply,
        close() {
          receive.close();
          send.close();
        },
      };
    },
  };
}

export const trials = [
  syncTrial('socketpair', false),
  syncTrial('pipe', false),
  syncTrial('socketpair', true),
  syncTrial('pipe', true),
];
