// SPDX-License-Identifier: MIT
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { jobToArguments } from '../job.js';
import { compiledModule, installed } from '../paths.js';
import { makePair } from '../peers/zeromq-pair.js';
import type { NodeTrial } from './trial.js';

export const trials: NodeTrial[] = [
  {
    id: 'zeromq',
    label: 'zeromq.js, ipc',
    kind: 'channel',
    settings: 'two Pair sockets over ipc://; await send, await receive (a new Buffer each); default high-water marks',
    needs: () => (installed('zeromq') === undefined ? 'not installed: npm run bench:install' : undefined),
    async open(job, payload) {
      const folder = await mkdtemp(path.join(tmpdir(), 'bench-zeromq-'));
      const address = `ipc://${path.join(folder, 'socket')}`;
      const pair = makePair();
      await pair.bind(address);
      spawn(process.execPath, [compiledModule('peers/zeromq-child'), address, ...jobToArguments(job)], {
        stdio: 'inherit',
      });
      // The child says that it is there.
      await pair.receive();
      await rm(folder, { recursive: true });
      let reply: Uint8Array = payload;
      return {
        async roundTrips(count) {
          for (let i = 0; i < count; i++) {
            await pair.send(payload);
            [reply] = await pair.receive();
          }
        },
        async oneWay(count) {
          for (let i = 0; i < count; i++) await pair.send(payload);
          await pair.receive();
        },
        lastReply: () => reply,
        close() {
          // An empty message ends the child.
          void pair.send('').then(() => {
            pair.close();
          });
        },
      };
    },
  },
];
