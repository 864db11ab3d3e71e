// SPDX-License-Identifier: MIT
//
// python-names <python> <folder>: prints the name of shared memory that a Python child has left, the names of a semaphore of
// each of two objects that a daemonic child has, and the number of the latter. Ends with its input.
import { once } from 'node:events';

import { Pipe, PythonProcess } from 'node-multiprocessing';

const [python = '', pythonPath = ''] = process.argv.slice(2);

function start(target: string, daemon: boolean): { child: PythonProcess; first: Promise<unknown> } {
  const [conn, theirs] = Pipe();
  const child = new PythonProcess({ target, args: [theirs], python, pythonPath, daemon });
  child.start();
  theirs.close();
  return { child, first: conn.recv() };
}

const leaving = start('children:leave_memory', false);
const left = await leaving.first;
await leaving.child.join();
const having = start('children:with_names', true);
const names = (await having.first) as string[];
console.log(JSON.stringify([left, ...names, having.child.pid]));
process.stdin.resume();
await once(process.stdin, 'end');
