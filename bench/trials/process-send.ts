// SPDX-License-Identifier: MIT
import { fork } from 'node:child_process';

import { jobToArguments } from '../job.js';
import { compiledModule } from '../paths.js';
import { codecs, type Serialization } from '../peers/process-send-codec.js';
import { EventLink, type EventChannel } from './event-link.js';
import type { NodeTrial } from './trial.js';

function processSendTrial(serialization: Serialization, settings: string): NodeTrial {
  return {
    id: `process.send/${serialization}`,
    label: `process.send, ${serialization}`,
    kind: 'channel',
    settings,
    open(job, payload) {
      const codec = codecs[serialization];
      const child = fork(compiledModule('peers/process-send-child'), [serialization, ...jobToArguments(job)], {
        serialization,
      });
      let unwritten = 0;
      let emptied: () => void = () => undefined;
      const written = (error: Error | null): void => {
        if (error) throw error;
        unwritten--;
        if (unwritten === 0) emptied();
      };
      const channel: EventChannel = {
        post(message) {
          unwritten++;
          return child.send(codec.encode(message), written);
        },
        drained: () =>
          new Promise((resolve) => {
            if (unwritten === 0) resolve();
            else emptied = resolve;
          }),
        close: () => {
          child.disconnect();
        },
      };
      const link = new EventLink(channel, payload);
      child.on('message', (message) => {
        link.received(codec.decode(message));
      });
      return Promise.resolve(link);
    },
  };
}

export const trials = [
  processSendTrial('json', "fork with serialization 'json'; payload as a base64 string, decoded by the receiver"),
  processSendTrial('advanced', "fork with serialization 'advanced'; payload as a Buffer"),
];
