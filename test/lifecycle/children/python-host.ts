// SPDX-License-Identifier: MIT
//
// A parent of Python processes that a test kills.  python-host <python> <folder of the modules> <target> <daemon: yes or no>
import { Pipe, PythonProcess } from 'node-multiprocessing';

const [python = '', pythonPath = '', target = '', daemon = ''] = process.argv.slice(2);
const [conn, theirs] = Pipe();
const child = new PythonProcess({ target, args: [theirs], python, pythonPath, daemon: daemon === 'yes' });
child.start();
theirs.close();
for (;;) console.log(JSON.stringify(await conn.recv()));
