// SPDX-License-Identifier: MIT
//
// process-one <python> <folder of the modules>: is the first process of a container. Starts children of both languages, and
// prints which processes there are besides itself after each.
import { existsSync, readdirSync } from 'node:fs';

import { Pipe, Process, PythonProcess } from 'node-multiprocessing';

import { describeSelf, type Self } from './process-targets.js';

const [python = '', pythonPath = ''] = process.argv.slice(2);

/** All but this process. A zombie is one of them. */
function others(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
}

/** As others(), when Node has reaped a child. join() may know of its end a moment before. */
async function othersWithout(pid: number | null): Promise<string[]> {
  while (existsSync(`/proc/${String(pid)}`)) await new Promise((resolve) => setImmediate(resolve));
  return others();
}

const after: Record<string, string[]> = {};
for (const target of ['make_names', 'names_of_a_child']) {
  const [ours, theirs] = Pipe();
  const child = new PythonProcess({ target: `children:${target}`, args: [theirs, 3], python, pythonPath });
  child.start();
  theirs.close();
  const answer = await ours.recv();
  if (answer !== 'made') throw new Error(`${target} has answered ${String(answer)}`);
  await child.join();
  ours.close();
  after[target] = await othersWithout(child.pid);
}

const [ours, theirs] = Pipe<never, Self>();
const module = new URL('./process-targets.js', import.meta.url);
const child = new Process({ module, target: describeSelf, args: [theirs] });
child.start();
theirs.close();
const { parentPid } = await ours.recv();
await child.join();
ours.close();
after['describeSelf'] = await othersWithout(child.pid);

const killed = new PythonProcess({ target: 'children:die', python, pythonPath });
killed.start();
await killed.join().catch(() => undefined);
after['die'] = await othersWithout(killed.pid);

console.log(JSON.stringify({ pid: process.pid, parentPid, killed: killed.exitcode, after }));
