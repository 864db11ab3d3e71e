// SPDX-License-Identifier: MIT
import { workerData, type MessagePort } from 'node:worker_threads';

import type { Job } from '../job.js';
import { asBuffer, makePost, type PortMessage } from './message-port-post.js';
import { answering } from './serve.js';

const { port, job } = workerData as { port: MessagePort; job: Job };
const answer = answering(job, makePost(port, job));

// Only the port keeps the worker alive: the worker ends when the other end is closed.
port.on('message', (message: PortMessage) => {
  answer(asBuffer(message));
});
