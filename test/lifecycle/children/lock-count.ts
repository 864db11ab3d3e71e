// SPDX-License-Identifier: MIT
//
// lock-count <sync|async> <descriptor> <file> <count>: increments the number in a file, each time under the lock.
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { once } from 'node:events';

import { attach, type SemLockDescriptor } from 'node-multiprocessing';

const [mode, descriptor, path, count] = process.argv.slice(2) as [string, string, string, string];
const lock = attach(JSON.parse(descriptor) as SemLockDescriptor & { type: 'Lock' });
const file = openSync(path, 'r+');
const bytes = Buffer.alloc(8);

function increment(): void {
  readSync(file, bytes, 0, 8, 0);
  bytes.writeBigInt64LE(bytes.readBigInt64LE() + 1n);
  writeSync(file, bytes, 0, 8, 0);
}

process.stdout.write('ready\n');
await once(process.stdin, 'data');
for (let i = Number(count); i > 0; i--) {
  if (mode === 'async') {
    await lock.withLock(increment);
  } else {
    lock.acquireSync();
    increment();
    lock.release();
  }
}
closeSync(file);
lock.close();
process.exit(0);
