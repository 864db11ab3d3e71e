// SPDX-License-Identifier: MIT
//
// The same with the consumers in Python.
import * as mp from 'node-multiprocessing';

const queue = new mp.JoinableQueue();
const options = { target: 'consumer:consumer', args: [queue], pythonPath: import.meta.dirname };
for (let i = 0; i < 2; i++) new mp.PythonProcess({ ...options, daemon: true }).start();
for (const item of [1, 2, 3, 4]) await queue.put(item);
await queue.join();
