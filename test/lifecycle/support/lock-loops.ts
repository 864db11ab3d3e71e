// SPDX-License-Identifier: MIT
//
// The loops of the tests of locks: short in the suite and long in the stress tests.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { describe, Lock, Semaphore } from 'node-multiprocessing';

import { newestPython, pythons, spawnPeer, within } from '../../helpers/index.js';
import { addressesOf, Member, until, valueOf } from './locks.js';
import { child, pythonChild, report } from './programs.js';

/** Four processes of Node and four of Python increment a number in a file, each `count` times. */
export async function expectExactCount(each: number, watchdogMs: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mp-count-'));
  const path = join(folder, 'counter');
  writeFileSync(path, Buffer.alloc(8));
  const lock = new Lock();
  const descriptor = JSON.stringify(describe(lock));
  const versions = pythons();
  const peers = Array.from({ length: 4 }, (_, i) => {
    const python = versions[Math.round((i * (versions.length - 1)) / 3)]!;
    const mode = i < 2 ? 'sync' : 'async';
    return [
      spawnPeer(child('lock-count'), { args: [mode, descriptor, path, String(each)], watchdogMs }),
      spawnPeer(pythonChild(python, 'lock-count'), { args: [descriptor, path, String(each)], watchdogMs }),
    ];
  }).flat();
  for (const peer of peers) expect(await peer.line()).to.equal('ready');
  for (const peer of peers) peer.tell('go');
  await Promise.all(peers.map((peer) => peer.succeeded()));
  const count = readFileSync(path).readBigInt64LE();
  rmSync(folder, { recursive: true });
  expect(lock.value).to.equal(1);
  lock.close();
  expect(Number(count)).to.equal(each * peers.length);
}

/** Gives up acquires in every way while Python acquires and releases. */
export async function expectCancelledCleanly(count: number, watchdogMs: number): Promise<void> {
  const semaphore = new Semaphore(1);
  const descriptor = describe(semaphore);
  const python = await Member.python(descriptor);
  python.tell('churn');
  const args = ['mixed', JSON.stringify(descriptor), String(count)];
  const peer = spawnPeer(child('lock-cancel'), { args, watchdogMs });
  const { threads, rss, outcomes } = await report(peer);
  await peer.succeeded();
  python.tell('stop');
  expect(await python.outcome())
    .to.have.property('result')
    .that.is.above(0);
  expect(semaphore.value).to.equal(1);
  semaphore.close();
  // Every way of giving up has occurred.
  expect(outcomes).to.include.all.keys('taken', 'ABORT_ERR', 'ERR_MP_CLOSED');
  expect(threads).to.be.at.most(0);
  if (process.env['NODE_MULTIPROCESSING_SANITIZER'] === undefined) expect(rss).to.be.below(64 * 1024 * 1024);
}

/**
 * Posts while asynchronous waiters abort. Whether one of them takes the value and gives it back or not, Python gets it.
 */
export async function expectPythonServed(rounds: number): Promise<void> {
  const semaphore = new Semaphore(0);
  const descriptor = describe(semaphore);
  const { name } = addressesOf(descriptor)[0]!;
  const python = await Member.python(descriptor);
  for (let round = 0; round < rounds; round++) {
    const controller = new AbortController();
    const waits = Array.from({ length: 1 + (round % 3) }, () => semaphore.acquire({ signal: controller.signal }));
    const settled = Promise.allSettled(waits);
    await python.wait(name, 'acquire');
    const pause = (): void => {
      const end = performance.now() + ((round * 7) % 100) / 1000;
      while (performance.now() < end);
    };
    if (round % 5 === 0) controller.abort();
    semaphore.release();
    pause();
    if (round % 5 < 4) controller.abort();
    else setImmediate(() => controller.abort());
    for (const outcome of await settled) {
      if (outcome.status === 'fulfilled') semaphore.release();
      else expect(outcome.reason).to.have.property('code', 'ABORT_ERR');
    }
    const { result } = await within(20_000, python.outcome(), `the value in Python, in round ${round}`);
    expect(result).to.be.true;
    expect(valueOf(name)).to.equal(0);
  }
  semaphore.close();
}

/** A stopped process is late, not dead. */
export async function expectStoppedIsNotDead(nodeOnly: boolean, call: string, waitMs: number): Promise<void> {
  const lock = new Lock();
  const descriptor = describe(lock, { nodeOnly });
  const holder = await Member.node(descriptor);
  expect(await holder.call('acquire')).to.deep.equal({ result: true });
  const waiter = await Member.node(descriptor);
  holder.peer.kill('SIGSTOP');
  await until(() => /\) T /.test(readFileSync(`/proc/${holder.peer.pid}/stat`, 'utf8')));
  expect(await waiter.call(call, { timeout: waitMs })).to.deep.equal({ result: false });
  expect(await waiter.call('recover')).to.deep.equal({ result: false });
  expect(await waiter.call('recover', { force: true })).to.deep.equal({ result: false });
  await waiter.wait(addressesOf(descriptor)[0]!.name, call);
  holder.peer.kill('SIGCONT');
  expect(await holder.call('release')).to.deep.equal({});
  expect(await waiter.outcome()).to.deep.equal({ result: true });
  await waiter.call('release');
  expect(lock.value).to.equal(1);
  lock.close();
}

/** Kills contenders of a lock at random moments. */
export async function expectNeverTwoHolders(kills: number, seed: number, watchdogMs: number): Promise<void> {
  const args = [String(kills), String(seed), newestPython().path];
  const peer = spawnPeer(child('lock-supervisor'), { args, watchdogMs });
  const result = await report(peer);
  await peer.succeeded();
  // The number of kills between acquiring and recording is information for the reader.
  console.log(`      ${JSON.stringify(result)}`);
  expect(result.problems).to.deep.equal([]);
  expect(result.kills).to.equal(kills);
  expect(result.recovered).to.be.above(0);
}
