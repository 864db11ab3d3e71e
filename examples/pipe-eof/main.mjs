// SPDX-License-Identifier: MIT
//
// A producer and a consumer over a pipe. The end of the data is the end of the pipe: it comes when every process has
// closed its copy of the end that sends.
import * as mp from 'node-multiprocessing';

export async function consumer(output, input) {
  input.close(); // This process only reads.
  for (;;) {
    let item;
    try {
      item = await output.recv();
    } catch (error) {
      if (error instanceof mp.EOFError) break;
      throw error;
    }
    console.log(item);
  }
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
