// SPDX-License-Identifier: MIT
import { trials as cEcho } from './c-echo.js';
import { trials as cpythonPipe } from './cpython-pipe.js';
import { trials as messagePort } from './message-port.js';
import { trials as netSocket } from './net-socket.js';
import { trials as oursAsync } from './ours-async.js';
import { trials as oursSync } from './ours-sync.js';
import { trials as processSend } from './process-send.js';
import type { Trial } from './trial.js';

/** Every peer, in the order of the tables. */
export const trials: readonly Trial[] = [
  ...oursSync,
  ...oursAsync,
  ...cEcho,
  ...cpythonPipe,
  ...processSend,
  ...messagePort,
  ...netSocket,
];

export function findTrial(id: string): Trial {
  const found = trials.find((trial) => trial.id === id);
  if (!found) throw new RangeError(`there is no trial ${id}`);
  return found;
}
