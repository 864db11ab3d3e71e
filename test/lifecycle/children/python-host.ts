// SPDX-License-Identifier: MIT
//
// python-host <python> <folder of the modules> <target> <daemon: yes or no>: a parent of Python processes, which a test
// kills.
import { Pipe, PythonProcess } from 'node-multiprocessing';

const [python = '', pythonPath = '', target = '', daemon = ''] = process.argv.slice(2);
const [conn, theirs] = Pipe();
const child = new PythonProcess({ target, args: [theirs], python, pythonPath, daemon: daemon === 'yes' });
child.start();
theirs.close();
for (;;) console.log(JSON.stringify(await conn.recv()));
