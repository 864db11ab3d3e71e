// SPDX-License-Identifier: MIT
//
// The memory of a child of this package, beside that of a child of child_process.fork: `child-memory.js`. Both children
// have sent one message and wait.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

import * as mp from 'node-multiprocessing';

import { compiledModule } from '../paths.js';

export interface ChildMemory {
  /** Resident bytes. */
  readonly ours: number;
  readonly fork: number;
}

const module = compiledModule('peers/first-message');

function residentBytes(pid: number): number {
  const [, kibibytes] = /^Rss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}

async function ofFork(): Promise<number> {
  const child = fork(module);
  await once(child, 'message');
  // The child waits for messages as long as this process is connected.
  const bytes = residentBytes(child.pid ?? 0);
  child.kill();
  await once(child, 'exit');
  return bytes;
}

async function ofProcess(): Promise<number> {
  const [ours, theirs] = mp.Pipe();
  const child = new mp.Process({ module, target: 'sayOnAndWait', args: [theirs] });
  child.start();
  theirs.close();
  await ours.recv();
  const bytes = residentBytes(child.pid ?? 0);
  ours.close();
  await child.join();
  return bytes;
}

const result: ChildMemory = { ours: await ofProcess(), fork: await ofFork() };
process.stdout.write(`${JSON.stringify(result)}\n`);
