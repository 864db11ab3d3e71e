// SPDX-License-Identifier: MIT
import { trials as cEcho } from './c-echo.js';
import { trials as cpythonPipe } from './cpython-pipe.js';
import { trials as messagePort } from './message-port.js';
import { trials as netSocket } from './net-socket.js';
import { trials as oursAsync } from './ours-async.js';
import { trials as oursAccepted } from './ours-accepted.js';
import { trials as oursInto } from './ours-into.js';
import { trials as oursSync } from './ours-sync.js';
import { trials as newest } from './newest.js';
import { trials as processSend } from './process-send.js';
import { trials as zeromq } from './zeromq.js';
import type { Trial } from './trial.js';

/** Every peer, in the order of the tables. */
export const trials: readonly Trial[] = [
  ...oursSync,
  ...oursAsync,
  ...oursInto,
  ...oursAccepted,
  ...cEcho,
  ...cpythonPipe,
  ...processSend,
  ...messagePort,
  ...netSocket,
  ...zeromq,
  ...newest,
];

export function findTrial(id: string): Trial {
  const found = trials.find((trial) => trial.id === id);
  if (!found) throw new RangeError(`there is no trial ${id}`);
  return found;
}
