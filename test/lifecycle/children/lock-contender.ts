// SPDX-License-Identifier: MIT
//
// lock-contender <sync|async> <descriptor> <file>: acquires and releases for ever, and recovers the lock from dead
// holders. The file contains the pid of the process inside, and how often a process was inside. A contender that finds
// another living process there reports it.
import { openSync, readFileSync, readSync, writeSync } from 'node:fs';

import { attach, type SemLockDescriptor } from 'node-multiprocessing';

const [mode, descriptor, path] = process.argv.slice(2) as [string, string, string];
const lock = attach(JSON.parse(descriptor) as SemLockDescriptor & { type: 'Lock' });
const file = openSync(path, 'r+');
const bytes = Buffer.alloc(8);

function say(word: string): void {
  writeSync(1, `${word}\n`);
}

function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

function inside(): void {
  readSync(file, bytes, 0, 8, 0);
  const stranger = bytes.readInt32LE(0);
  const count = bytes.readInt32LE(4);
  if (stranger !== 0 && isAlive(stranger)) say(`two holders: ${stranger} and ${process.pid}`);
  bytes.writeInt32LE(process.pid, 0);
  bytes.writeInt32LE(count + 1, 4);
  writeSync(file, bytes, 0, 8, 0);
  // Long enough that many kills happen here.
  const end = performance.now() + Math.random();
  while (performance.now() < end);
  bytes.writeInt32LE(0, 0);
  writeSync(file, bytes, 0, 4, 0);
}

say('ready');
for (;;) {
  try {
    if (mode === 'async') await lock.acquire();
    else lock.acquireSync();
  } catch (error) {
    const { code, pid } = error as { code: string; pid: number };
    if (code !== 'ERR_MP_OWNER_DIED') throw error;
    say(lock.recover() ? `recovered ${pid}` : 'not recovered');
    continue;
  }
  inside();
  lock.release();
}
