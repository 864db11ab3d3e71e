// SPDX-License-Identifier: MIT
//
// Request and response over a duplex pipe.
import * as mp from 'node-multiprocessing';

export async function adder(server, client) {
  client.close(); // This process only serves.
  for await (const [x, y] of server) await server.send(x + y);
  console.log('Server done');
}

if (mp.isMainProcess) {
  const [server, client] = mp.Pipe();
  const child = new mp.Process({ module: import.meta.url, target: adder, args: [server, client] });
  child.start();
  server.close(); // This process only sends requests.

  await client.send([3, 4]);
  console.log(await client.recv());
  await client.send(['Hello', 'World']);
  console.log(await client.recv());

  client.close(); // The server sees the end of the data.
  await child.join();
}
