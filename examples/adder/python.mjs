// SPDX-License-Identifier: MIT
//
// The same with the server in Python.
import * as mp from 'node-multiprocessing';

const [server, client] = mp.Pipe();
const child = new mp.PythonProcess({
  target: 'adder:adder',
  args: [server, client],
  pythonPath: import.meta.dirname,
});
child.start();
server.close(); // Now the server's copy is the only one.
await client.send([3, 4]);
console.log(await client.recv());
await client.send(['Hello', 'World']);
console.log(await client.recv());
client.close(); // The server sees the end of the data.
await child.join();
