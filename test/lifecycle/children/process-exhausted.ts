// SPDX-License-Identifier: MIT
//
// process-exhausted: starts a process with fewer and fewer free descriptors. Prints as JSON the errors, whether a
// process started in the end, and how many descriptors were left open.
import { closeSync, openSync, readdirSync } from 'node:fs';

import { Process } from 'node-multiprocessing';

const module = new URL('./process-targets.js', import.meta.url);

function makeProcess(): Process {
  return new Process({ module, target: 'nothing', stdio: ['pipe', 'pipe', 'pipe'] });
}

async function end(child: Process): Promise<void> {
  child.stdout?.resume();
  child.stderr?.resume();
  await child.join();
}

function openAll(): number[] {
  const fds: number[] = [];
  try {
    for (;;) fds.push(openSync('/dev/null', 'r'));
  } catch {
    return fds;
  }
}

// Makes what is made once.
const first = makeProcess();
first.start();
await end(first);
await new Promise((resolve) => setTimeout(resolve, 10));
const before = readdirSync('/proc/self/fd').length;

const codes = new Set<string>();
let started = false;
const fds = openAll();
// The descriptors come back one by one, until there are enough.
while (fds.length > 0) {
  closeSync(fds.pop()!);
  const child = makeProcess();
  try {
    child.start();
  } catch (error) {
    codes.add((error as { code: string }).code);
    continue;
  }
  started = true;
  for (const fd of fds.splice(0)) closeSync(fd);
  await end(child);
}
// Node closes pipes in a later turn.
let left = 0;
for (let i = 0; i < 1000; i++) {
  await new Promise((resolve) => setImmediate(resolve));
  left = readdirSync('/proc/self/fd').length - before;
  if (left === 0) break;
}
process.stdout.write(`${JSON.stringify({ codes: [...codes], started, left })}\n`);
