// SPDX-License-Identifier: MIT
//
// The time from the start of a child to its first message: `start.js <way> <warm-up ms> <measured ms>`. The child of
// `fork` is an ES module, as that of a Process is here. `python-import` is the whole run of a Python that imports what
// a PythonProcess cannot do without.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';

import * as mp from 'node-multiprocessing';

import { compiledModule, peerSource } from '../paths.js';
import { report } from '../sampling.js';

const STARTS = 7;
const module = compiledModule('peers/first-message');
const importing = compiledModule('peers/importing-message');

/** Starts a process with one end of a Pipe. Resolves to the other end when the first message is there. */
async function first(make: (theirs: mp.Connection) => mp.BaseProcess): Promise<() => Promise<unknown>> {
  const [ours, theirs] = mp.Pipe();
  const child = make(theirs);
  child.start();
  theirs.close();
  await ours.recvBytes();
  return async () => {
    ours.close();
    await child.join();
  };
}

/** Each way resolves at the moment that counts, to a promise of the clean-up before the next start. */
const ways: Record<string, () => Promise<() => Promise<unknown>>> = {
  process: () => first((theirs) => new mp.Process({ module, target: 'sayOn', args: [theirs] })),
  importing: () => first((theirs) => new mp.Process({ module: importing, target: 'sayOn', args: [theirs] })),
  'python-process': () => {
    const options = { target: 'first_message:say_on', python: 'python3', pythonPath: dirname(peerSource('x')) };
    return first((theirs) => new mp.PythonProcess({ ...options, args: [theirs] }));
  },
  fork: async () => {
    const child = fork(module);
    await once(child, 'message');
    child.disconnect();
    return () => once(child, 'exit');
  },
  'python-import': async () => {
    const child = spawn('python3', ['-c', 'import multiprocessing.spawn'], { stdio: 'ignore' });
    await once(child, 'exit');
    return () => Promise.resolve();
  },
};

const way = ways[process.argv[2] ?? ''];
if (way === undefined) throw new TypeError(`no such way: ${process.argv[2]}`);
// The first start loads modules that later starts find loaded.
await (
  await way()
)();
const samples: number[] = [];
for (let i = 0; i < STARTS; i++) {
  const begin = process.hrtime.bigint();
  const end = await way();
  samples.push(Number(process.hrtime.bigint() - begin));
  await end();
}
report({ nsPerOperation: samples });
