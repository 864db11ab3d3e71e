// SPDX-License-Identifier: MIT
//
// process-one <python> <folder of the modules>: is the first process of a container. Starts children of both languages, and
// prints which processes there are besides itself after each.
import { readdirSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';

import { Pipe, Process, PythonProcess } from 'node-multiprocessing';

import { describeSelf, type Self } from './process-targets.js';

const [python = '', pythonPath = ''] = process.argv.slice(2);

/** Longer than any process takes to be reaped. */
const LONG_MS = 10_000;

/** All but this process. A zombie is one of them. A child whose end is known already is reaped by the event loop. */
async function others(): Promise<string[]> {
  for (const end = performance.now() + LONG_MS; ;) {
    const found = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
    if (found.length === 0 || performance.now() > end) return found;
    await turn();
  }
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
  after[target] = await others();
}

const [ours, theirs] = Pipe<never, Self>();
const module = new URL('./process-targets.js', import.meta.url);
const child = new Process({ module, target: describeSelf, args: [theirs] });
child.start();
theirs.close();
const { parentPid } = await ours.recv();
await child.join();
ours.close();
after['describeSelf'] = await others();

const killed = new PythonProcess({ target: 'children:die', python, pythonPath });
killed.start();
await killed.join().catch(() => undefined);
after['die'] = await others();

console.log(JSON.stringify({ pid: process.pid, parentPid, killed: killed.exitcode, after }));
