// SPDX-License-Identifier: MIT
//
// A worker that looks for a message which never comes.
import { parentPort } from 'node:worker_threads';

import { Pipe } from 'node-multiprocessing';

const [reader] = Pipe(false, { asyncSpinMicros: 1e6 });
void reader.recv();
parentPort?.postMessage('receiving');
