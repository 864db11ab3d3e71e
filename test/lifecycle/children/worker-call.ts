// SPDX-License-Identifier: MIT
//
// The script of a worker that makes one call and waits in it. It posts "pending" when an asynchronous call waits, and
// "calling" just before a Sync call.
import { parentPort, workerData } from 'node:worker_threads';

import { turns } from '../../helpers/assertions.js';
import { callNamed, endsFor, type Call } from '../support/connection-calls.js';
import type { Kind } from '../../helpers/channels.js';

export interface WorkerTask {
  readonly kind: Kind;
  readonly call: string;
  /** What the worker does once an asynchronous call waits. */
  readonly then?: 'exit' | 'throw' | undefined;
}

const { kind, call: name, then } = workerData as WorkerTask;
const call: Call = callNamed(name);
const { near } = endsFor(call, kind);
if (name.endsWith('Sync')) {
  parentPort?.postMessage('calling');
  call.start(near);
} else {
  void (call.start(near) as Promise<unknown>).catch(() => undefined);
  // The call alone keeps a loop alive that waits for nothing else.
  await turns();
  parentPort?.postMessage('pending');
  if (then === 'exit') process.exit(3);
  if (then === 'throw') throw new Error('thrown on purpose');
}
