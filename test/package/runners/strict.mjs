// SPDX-License-Identifier: MIT
//
// A program for places with little freedom: the permission model, a read-only file system.
import * as mp from 'node-multiprocessing';

const queue = new mp.JoinableQueue();
const child = new mp.Process({ module: import.meta.resolve('./child.mjs'), target: 'putKind', args: [queue] });
child.start();
console.log(await queue.get());
await queue.taskDone();
await child.join();
queue.close();
