// SPDX-License-Identifier: MIT
//
//   node manager-host.js serve
//   node manager-host.js use <address>
//
// A manager of Node that listens on all interfaces: it prints its address, and for each line of its input an item: `get` of
// the queue that needs no finishing, `task` of the other one. Or a client of a manager: it puts an item on `get_shared`, gets
// and prints it, says `waits`, and prints the code of the error by which its last `get` ends.
import { createInterface } from 'node:readline';

import type { SocketAddress } from 'node-multiprocessing';
import { ManagedQueue, ManagerClient, ManagerServer } from 'node-multiprocessing/managers';

const [, , role, address] = process.argv as [string, string, string, string];
const limits = { authkey: Buffer.from('key'), remote: true, keepAlive: 2000 };

async function serve(): Promise<void> {
  const server = new ManagerServer({ ...limits, address: ['', 0] });
  const [queue, tasks] = [new ManagedQueue(), new ManagedQueue({ lease: 'taskDone' })];
  server.register('get_queue', queue).register('get_tasks', tasks);
  console.log(JSON.stringify(server.address));
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'put') await tasks.put('task');
    else console.log(JSON.stringify(await (line === 'task' ? tasks : queue).get()));
  }
  server.close();
}

async function use(): Promise<void> {
  const client = await ManagerClient.connect({ ...limits, address: JSON.parse(address) as SocketAddress });
  const queue = await client.create('get_shared');
  await queue.call('put', ['hello']);
  console.log(JSON.stringify(await queue.call('get')));
  console.log('"waits"');
  await queue.call('get').catch((error: unknown) => console.log(JSON.stringify((error as { code: string }).code)));
  await client.close();
}

await (role === 'serve' ? serve() : use());
