// SPDX-License-Identifier: MIT
//
// The same with the consumer in Python, where the sentinel is None.
import * as mp from 'node-multiprocessing';

const queue = new mp.Queue();
const child = new mp.PythonProcess({
  target: 'consumer:consumer',
  args: [queue],
  pythonPath: import.meta.dirname,
});
child.start();
for (const item of [1, 2, 3, 4, null]) await queue.put(item);
await child.join();
