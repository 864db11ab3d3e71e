// SPDX-License-Identifier: MIT
//
// A C program is an equal at a lock: it opens the semaphore by its name.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { Lock, NamedSemaphore } from 'node-multiprocessing';

import { cPeer, spawnPeer } from '../helpers/index.js';

const ROUNDS = 2000;

/** Counts beside a C program, and returns what both together have counted. */
async function countTogether(name: string, locked: (increment: () => void) => Promise<void>): Promise<bigint> {
  const folder = mkdtempSync(join(tmpdir(), 'mp-c-'));
  const path = join(folder, 'counter');
  writeFileSync(path, Buffer.alloc(8));
  const fd = openSync(path, 'r+');
  const bytes = Buffer.alloc(8);
  const read = (): bigint => {
    readSync(fd, bytes, 0, 8, 0);
    return bytes.readBigUInt64LE();
  };
  try {
    const peer = spawnPeer(cPeer('locker'), { args: [name, path, String(ROUNDS)] });
    expect(await peer.line()).to.equal('ready');
    for (let i = 0; i < ROUNDS; i++) {
      await locked(() => {
        bytes.writeBigUInt64LE(read() + 1n);
        writeSync(fd, bytes, 0, 8, 0);
      });
    }
    await peer.succeeded();
    return read();
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
}

describe('A lock shared with a C program', function () {
  it('excludes it, async', async function () {
    const lock = new Lock();
    expect(await countTogether(lock.name, (increment) => lock.withLock(increment))).to.equal(BigInt(2 * ROUNDS));
    lock.close();
  });

  it('excludes it, sync', async function () {
    const lock = new Lock();
    const locked = (increment: () => void): Promise<void> => {
      lock.acquireSync();
      increment();
      lock.release();
      return Promise.resolve();
    };
    expect(await countTogether(lock.name, locked)).to.equal(BigInt(2 * ROUNDS));
    lock.close();
  });

  it('may be a NamedSemaphore under a name of our choice', async function () {
    const semaphore = NamedSemaphore.create(`/mp-test-c-${process.pid}`, 1);
    const locked = async (increment: () => void): Promise<void> => {
      await semaphore.wait();
      increment();
      semaphore.post();
    };
    expect(await countTogether(semaphore.name, locked)).to.equal(BigInt(2 * ROUNDS));
    semaphore.unlink();
    semaphore.close();
  });
});
