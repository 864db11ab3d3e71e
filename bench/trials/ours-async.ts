// SPDX-License-Identifier: MIT
import type { Connection } from 'node-multiprocessing';

import { jobToArguments } from '../job.js';
import type { Kind, NodeTrial } from './trial.js';

/** Sends that may be pending at once in a one-way run: enough small sends to share a system call. */
export const sendWindow = 16;

/** Sends a payload so many times. */
export async function sendAll(send: Connection, payload: Uint8Array, count: number): Promise<void> {
  for (let sent = 0; sent < count;) {
    const window: Promise<void>[] = [];
    for (const end = Math.min(count, sent + sendWindow); sent < end; sent++) window.push(send.sendBytes(payload));
    await Promise.all(window);
  }
}

function asyncTrial(kind: Exclude<Kind, 'channel'>, spins: boolean): NodeTrial {
  const spinSetting = spins ? 'default' : 'none';
  return {
    id: `${spins ? 'async-spin' : 'async'}/${kind}`,
    label: `ours, async${spins ? ', spinning' : ''}, ${kind}`,
    kind,
    settings:
      `${kind === 'socketpair' ? 'Pipe()' : 'Pipe(false) x 2'}; await sendBytes, await recvBytes (a new Buffer each); readAhead: true; ` +
      `one-way sends are awaited ${sendWindow} at a time; asyncSpinMicros: ${spins ? 'default' : '0'}`,
    async open(job, payload) {
      // Loaded here instead of at the top, so that the processes of other peers run without the addon.
      const { connectChild } = await import('./ours.js');
      const { receive, send } = connectChild('peers/async-child', kind, spinSetting, jobToArguments(job));
      let reply: Uint8Array = payload;
      return {
        async roundTrips(count) {
          for (let i = 0; i < count; i++) {
            await send.sendBytes(payload);
            reply = await receive.recvBytes();
          }
        },
        async oneWay(count) {
          await sendAll(send, payload, count);
          await receive.recvBytes();
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
  asyncTrial('socketpair', false),
  asyncTrial('pipe', false),
  asyncTrial('socketpair', true),
  asyncTrial('pipe', true),
];
