// SPDX-License-Identifier: MIT
//
// Imports the installed package and exchanges messages with Python, which has nothing installed.
//
//   node consumer.mjs <python>
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import all, * as mp from 'node-multiprocessing';

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
