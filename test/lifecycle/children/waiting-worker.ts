// SPDX-License-Identifier: MIT
//
// The worker of waiting-targets.ts: runs one of the functions there, with what the worker's data describes.
import { workerData } from 'node:worker_threads';

import { attach, type Descriptor } from 'node-multiprocessing';

import * as targets from './waiting-targets.js';

const { target, conn, object } = workerData as { target: keyof typeof targets; conn: Descriptor; object: Descriptor };
const run = targets[target] as (...args: unknown[]) => unknown;
await run(attach(conn), attach(object));
