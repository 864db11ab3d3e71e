// SPDX-License-Identifier: MIT
import { workerData, type MessagePort } from 'node:worker_threads';

import type { Job } from '../job.js';
import { asBuffer, makePost, type PortMessage } from './message-port-post.js';
import { answering } from './serve.js';

const { port, job } = workerData as { port: MessagePort; job: Job };
const answer = answering(job, makePost(port, job));

// The port alone keeps the worker alive: closing the other end lets it finish.
port.on('message', (message: PortMessage) => {
  answer(asBuffer(message));
});
