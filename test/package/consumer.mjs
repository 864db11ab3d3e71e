// SPDX-License-Identifier: MIT
//
// Imports the installed package and exchanges messages with Python, which has nothing installed.
//
//   node consumer.mjs <python>
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { deserialize, serialize } from 'node:v8';
import all, * as mp from 'node-multiprocessing';
import { ManagedQueue, ManagerClient, ManagerServer } from 'node-multiprocessing/managers';

// One copy, however it is loaded.
const required = createRequire(import.meta.url)('node-multiprocessing');
assert.equal(required, all);
assert.equal(required.Connection, mp.Connection);

const [, , python = 'python3'] = process.argv;
const program = `
from multiprocessing.connection import Connection
connection = Connection(3)
connection.send_bytes(connection.recv_bytes()[::-1])
`;

const [ours, theirs] = mp.Pipe();
const child = spawn(python, ['-c', program], { stdio: ['ignore', 'inherit', 'inherit', theirs.fileno()] });
const exited = once(child, 'exit');
theirs.close();

await ours.sendBytes(Buffer.from('from an ES module'));
const reply = await ours.recvBytes();
assert.equal(reply.toString(), 'eludom SE na morf');
await assert.rejects(ours.recvBytes(), { name: 'EOFError' });
assert.deepEqual(await exited, [0, null]);
ours.close();
console.log(`import: Node ${process.versions.node} and Python exchanged messages`);

// The managers are of the same copy.
const authkey = Buffer.from('key');
const server = new ManagerServer({ authkey });
server.register('get_queue', new ManagedQueue(1));
const client = await ManagerClient.connect({ address: server.address, authkey });
const queue = await client.create('get_queue');
await queue.call('put', ['item']);
assert.equal(await queue.call('get'), 'item');
await assert.rejects(queue.call('get', [false]), mp.Empty);
await client.close();
server.close();
console.log('managers: put and got');

// Structured clones are V8's format, in each release of Node.
const [reader, writer] = mp.Pipe(false);
const list = Object.assign([1, 2, 3], { key: 'of a list' });
Reflect.deleteProperty(list, 1);
const values = [
  { id: 1, name: 'ü', wide: '漢字', half: 0.5, big: -(2n ** 70n), 7: null, list, again: list, none: undefined },
  [new Map([[{ a: 1 }, new Set([1])]]), new Date(5), /a+/giu, Object('boxed'), new Float64Array([1, 2])],
  [Buffer.from('bytes'), new Uint8Array([1]).buffer, new RangeError('reason', { cause: { a: 1 } })],
];
for (const value of values) {
  writer.sendSync(value);
  assert.deepEqual(deserialize(reader.recvBytesSync()), value);
  writer.sendBytesSync(serialize(value));
  assert.deepEqual(reader.recvSync(), value);
}
reader.close();
writer.close();
console.log(`structured: as V8 of Node ${process.versions.node} has it`);

// The queues over Redis are another entry, with the same errors.
const redis = await import('node-multiprocessing/redis');
assert.equal(redis.RedisError, mp.RedisError);
assert.equal(createRequire(import.meta.url)('node-multiprocessing/redis').RedisQueue, redis.RedisQueue);
const full = { duplicate: () => full, sendCommand: () => Promise.reject(new Error('OOM command not allowed')) };
await assert.rejects(new redis.RedisQueue({ client: full, name: 'jobs' }).get(), {
  code: 'ERR_MP_REDIS',
  uncertain: false,
});
console.log('redis: its entry is loaded');

// Shared memory: what is closed, and what is still open at the end of the process.
const memory = new mp.SharedMemory({ create: true, size: 8 });
new Float64Array(memory.view())[0] = 0.5;
memory.close();
assert.equal(memory.closed, true);
memory.unlink();
const array = mp.sharedArray.from(Float64Array.of(1, 2));
const [arrayReader, arrayWriter] = mp.Pipe(false);
await arrayWriter.send(array);
const received = /** @type {Float64Array} */ (await arrayReader.recv());
assert.equal(received.buffer, array.buffer);
arrayReader.close();
arrayWriter.close();
console.log('shared memory: closed, and sent without a copy');
