// SPDX-License-Identifier: MIT
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { jobToArguments } from '../job.js';
import { compiledModule } from '../paths.js';
import { FramedSocket } from '../peers/framed-socket.js';
import { EventLink, type EventChannel } from './event-link.js';
import type { NodeTrial } from './trial.js';

/**
 * The child's connection to a unix-domain server of this process. The server's path is removed when both are connected.
 */
async function connectChild(args: readonly string[]): Promise<Socket> {
  const folder = await mkdtemp(path.join(tmpdir(), 'bench-net-'));
  const address = path.join(folder, 'socket');
  const server = createServer();
  try {
    server.listen(address);
    await once(server, 'listening');
    spawn(process.execPath, [compiledModule('peers/net-socket-child'), address, ...args], { stdio: 'inherit' });
    const [socket] = (await once(server, 'connection')) as [Socket];
    return socket;
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
}

export const trials: NodeTrial[] = [
  {
    id: 'net.Socket',
    label: 'net.Socket (unix domain)',
    kind: 'channel',
    settings:
      'unix-domain server and client; 4-byte length and payload corked into one writev; messages inside one chunk are views of it, ' +
      'longer ones are gathered into one buffer; waits for drain when write() asks to (setNoDelay does not apply to unix sockets)',
    async open(job, payload) {
      const socket = await connectChild(jobToArguments(job));
      const framed = new FramedSocket(socket, (message) => {
        link.received(message);
      });
      const channel: EventChannel = {
        post: (message) => framed.send(message),
        drained: () => framed.drained(),
        close: () => {
          socket.destroy();
        },
      };
      const link = new EventLink(channel, payload);
      return link;
    },
  },
];
