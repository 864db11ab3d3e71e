// SPDX-License-Identifier: MIT
//
// Loads the installed package with require() and exchanges messages with Python, blocking.
//
//   node consumer.cjs <python>
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const mp = require('node-multiprocessing');

assert.equal(typeof require('node-multiprocessing/managers').ManagerServer, 'function');

const [, , python = 'python3'] = process.argv;
const program = `
from multiprocessing.connection import Connection
connection = Connection(3)
connection.send_bytes(connection.recv_bytes()[::-1])
`;

const [ours, theirs] = mp.Pipe();
const child = spawn(python, ['-c', program], { stdio: ['ignore', 'inherit', 'inherit', theirs.fileno()] });
theirs.close();

ours.sendBytesSync(Buffer.from('by require'));
assert.equal(ours.recvBytesSync().toString(), 'eriuqer yb');
assert.throws(() => ours.recvBytesSync(), { name: 'EOFError' });
ours.close();
child.on('exit', (code, signal) => {
  assert.deepEqual([code, signal], [0, null]);
  console.log(`require: Node ${process.versions.node} and Python exchanged messages`);
});
