// SPDX-License-Identifier: MIT
//
// A worker thread that takes one item of a queue with leases, posts how often it was handed out, and keeps it.
import { parentPort, workerData } from 'node:worker_threads';

import { attach, type LeaseQueueDescriptor } from 'node-multiprocessing';

const queue = attach(workerData as LeaseQueueDescriptor);
const lease = await queue.getLease();
parentPort?.postMessage(lease.deliveries);
parentPort?.on('message', () => process.exit(0));
