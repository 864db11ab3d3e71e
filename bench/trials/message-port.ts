// SPDX-License-Identifier: MIT
import { MessageChannel, Worker } from 'node:worker_threads';

import { compiledModule } from '../paths.js';
import { asBuffer, makePost, transferFromBytes, type PortMessage } from '../peers/message-port-post.js';
import { EventLink, type EventChannel } from './event-link.js';
import type { NodeTrial } from './trial.js';

export const trials: NodeTrial[] = [
  {
    id: 'MessagePort',
    label: 'MessagePort (worker thread)',
    kind: 'channel',
    settings:
      `threads of one process, not two processes; MessageChannel with a Uint8Array; round trips of ${transferFromBytes / 1024} KiB and ` +
      'more hand the same ArrayBuffer back and forth by the transfer list (no copy), smaller ones and one-way messages are cloned',
    open(job, payload) {
      const { port1, port2 } = new MessageChannel();
      const worker = new Worker(compiledModule('peers/message-port-worker'), {
        workerData: { port: port2, job },
        transferList: [port2],
      });
      const post = makePost(port1, job);
      const channel: EventChannel = {
        post(message) {
          post(message);
          return true;
        },
        // A port never asks to wait: it queues without bound, so the batch size limits the memory.
        drained: () => Promise.resolve(),
        close: () => {
          port1.close();
        },
      };
      // A transfer takes the payload away, so a copy is sent and the original stays for the final check.
      const own = Buffer.allocUnsafeSlow(payload.length);
      payload.copy(own);
      const link = new EventLink(channel, own, post.transfers);
      port1.on('message', (message: PortMessage) => {
        link.received(asBuffer(message));
      });
      worker.on('error', (error) => {
        throw error;
      });
      return Promise.resolve(link);
    },
  },
];
