// SPDX-License-Identifier: MIT
//
// A C program shares a lock as a Node process does: it opens the semaphore by its name.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { BoundedSemaphore, Lock, NamedSemaphore, RLock } from 'node-multiprocessing';

import { cPeer, spawnPeer, type Peer } from '../helpers/index.js';

const ROUNDS = 2000;

/** Counts beside a C program. Returns the number of counts of both together. */
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

describe('A lock that is shared with a C program', function () {
  it('excludes the C program, async', async function () {
    const lock = new Lock();
    expect(await countTogether(lock.name, (increment) => lock.withLock(increment))).to.equal(BigInt(2 * ROUNDS));
    lock.close();
  });

  it('excludes the C program, sync', async function () {
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

  it("may be a NamedSemaphore with a name of the user's choice", async function () {
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

/** Starts a C program that runs commands on a semaphore and prints the results. */
async function startPeer(name: string): Promise<{ peer: Peer; ask: (line: string) => Promise<string> }> {
  const peer = spawnPeer(cPeer('semaphore_peer'), { args: [name] });
  expect(await peer.line()).to.equal('ready');
  const ask = (line: string): Promise<string> => {
    peer.tell(line);
    return peer.line();
  };
  return { peer, ask };
}

describe('The semaphores of interop/c', function () {
  for (const Class of [Lock, RLock]) {
    it(`acquire and release a ${Class.name} as Node does`, async function () {
      const lock = new Class();
      const { peer, ask } = await startPeer(lock.name);
      await lock.acquire();
      expect(await ask('trywait')).to.equal('timed out');
      expect(await ask('wait 20')).to.equal('timed out');
      const waits = ask('wait -1');
      lock.release();
      expect(await waits).to.equal('done');
      expect(await lock.acquire({ timeout: 20 })).to.equal(false);
      expect(lock.acquireSync({ block: false })).to.equal(false);
      const acquired = lock.acquire();
      expect(await ask('release 1')).to.equal('done');
      expect(await acquired).to.equal(true);
      lock.release();
      expect(await ask('release 1')).to.equal('semaphore or lock released too often');
      expect(await ask('value')).to.equal('1');
      await peer.release();
      await peer.succeeded();
      lock.close();
    });
  }

  it('enforce the bound of a BoundedSemaphore if it is passed', async function () {
    const semaphore = new BoundedSemaphore(2);
    const { peer, ask } = await startPeer(semaphore.name);
    expect(await ask('release 2')).to.equal('semaphore or lock released too often');
    expect(await ask('wait 0')).to.equal('done');
    expect(semaphore.value).to.equal(1);
    expect(await ask('release 2')).to.equal('done');
    expect(await ask('post')).to.equal('done');
    expect(semaphore.value).to.equal(3);
    await peer.release();
    await peer.succeeded();
    semaphore.close();
  });

  it('cannot open a semaphore that its creator has closed', async function () {
    const lock = new Lock();
    const { name } = lock;
    lock.close();
    const peer = spawnPeer(cPeer('semaphore_peer'), { args: [name] });
    expect(await peer.line()).to.equal('No such file or directory');
    expect((await peer.exit).code).to.equal(1);
  });

  it('keep no record: the lock of a killed C program stays taken until it is recovered by force', async function () {
    const lock = new Lock();
    const { peer, ask } = await startPeer(lock.name);
    expect(await ask('wait 0')).to.equal('done');
    peer.kill();
    await peer.exit;
    expect(await lock.acquire({ timeout: 20 })).to.equal(false);
    expect(lock.recover()).to.equal(false);
    expect(lock.recover({ force: true })).to.equal(true);
    expect(await lock.acquire({ timeout: 0 })).to.equal(true);
    lock.release();
    lock.close();
  });
});
