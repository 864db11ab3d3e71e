// SPDX-License-Identifier: MIT
//
// The same as main.mjs with a loop that ends by itself at the end of the data.
import * as mp from 'node-multiprocessing';

export async function consumer(output, input) {
  input.close(); // This process only reads.
  for await (const item of output) console.log(item);
  console.log('Consumer done');
}

if (mp.isMainProcess) {
  const [output, input] = mp.Pipe();
  const child = new mp.Process({ module: import.meta.url, target: consumer, args: [output, input] });
  child.start();
  output.close(); // This process only writes.
  for (const item of [1, 2, 3, 4]) input.send(item);
  input.close(); // The end of the data; what was sent is still delivered.
  await child.join();
}
