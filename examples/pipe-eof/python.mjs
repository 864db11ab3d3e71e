// SPDX-License-Identifier: MIT
//
// The same with the consumer in Python.
import * as mp from 'node-multiprocessing';

const [output, input] = mp.Pipe();
const child = new mp.PythonProcess({
  target: 'consumer:consumer',
  args: [output, input],
  pythonPath: import.meta.dirname,
});
child.start();
output.close(); // This process only writes.
for (const item of [1, 2, 3, 4]) input.send(item);
input.close(); // The end of the data; what was sent is still delivered.
await child.join();
