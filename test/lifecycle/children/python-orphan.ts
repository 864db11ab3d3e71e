// SPDX-License-Identifier: MIT
//
// python-orphan <python> <folder>: gives the Connection that it has inherited to a Python child, which outlives it.
import { Connection, PythonProcess } from 'node-multiprocessing';

const [python = '', pythonPath = ''] = process.argv.slice(2);
const conn = Connection.fromFd(3, { serialization: 'pickle' });
const child = new PythonProcess({ target: 'children:parent_gone', args: [conn], python, pythonPath });
child.start();
conn.close();
await child.join();
