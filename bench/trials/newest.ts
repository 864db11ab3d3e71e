// SPDX-License-Identifier: MIT
//
// The peers that come with Node, on the newest Node.
import { newestNode } from '../paths.js';
import { trials as messagePort } from './message-port.js';
import { trials as netSocket } from './net-socket.js';
import { trials as processSend } from './process-send.js';
import type { NodeTrial } from './trial.js';

const node = newestNode();

export const trials: NodeTrial[] = [...processSend, ...messagePort, ...netSocket].map((trial) => ({
  ...trial,
  id: `${trial.id}@newest`,
  label: `${trial.label}, newest Node`,
  settings: `as ${trial.label}, with both ends on the newest Node`,
  node,
  needs: () => (node === undefined ? 'not installed: npm run bench:install' : undefined),
}));
