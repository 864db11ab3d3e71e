// SPDX-License-Identifier: MIT
//
// Targets of the tests' Processes that have a queue with leases.
import { once } from 'node:events';
import { fstatSync, readdirSync, readlinkSync, writeSync } from 'node:fs';

import type { Connection, JoinableQueue } from 'node-multiprocessing';

import { Random } from '../../helpers/random.js';

const LOCK_OFFSET = 40;
const LEASE_BYTES = 64 * 1024;

/** An item of the loops: its producer, its number, and bytes. */
export type Numbered = readonly [producer: number, number: number, data: Uint8Array];

/** Takes `count` items, sends how often each was handed out, and keeps them. */
export async function keepItems(queue: JoinableQueue, results: Connection, count: number): Promise<void> {
  const deliveries: number[] = [];
  for (let i = 0; i < count; i++) deliveries.push((await queue.getLease()).deliveries);
  await results.send(deliveries);
  await new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1));
}

/** Takes one item, reports it, and finishes it when it is told to. Reports that, too. */
export async function finishWhenTold(queue: JoinableQueue, results: Connection): Promise<void> {
  const lease = await queue.getLease();
  const told = once(process, 'SIGUSR2');
  await results.send('has it');
  const alive = setInterval(() => undefined, 2 ** 31 - 1);
  await told;
  clearInterval(alive);
  await lease.done();
  await results.send('finished');
}

/** Writes which member has the lock of the shared memory: `Header::lock` of native/leases/lease_layout.h. */
function setLock(holder: bigint): void {
  const links = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('/memfd:') ? [Number(fd)] : [];
    } catch {
      return [];
    }
  });
  const blocks = links.filter((fd) => fstatSync(fd).size > LEASE_BYTES);
  if (blocks.length !== 1) throw new Error(`There are ${blocks.length} blocks`);
  writeSync(blocks[0] as number, BigUint64Array.of(holder), 0, 8, LOCK_OFFSET);
}

/** Ends a lease while the lock seems to be that of the first member for a while. Nothing else keeps the process alive. */
export async function finishLate(queue: JoinableQueue, results: Connection): Promise<void> {
  const lease = await queue.getLease();
  setLock(1n);
  setTimeout(() => setLock(0n), 50).unref();
  await lease.done();
  await results.send('finished');
}

/** The same, blocking, until a signal interrupts that. */
export async function finishInterrupted(queue: JoinableQueue, results: Connection): Promise<void> {
  process.on('SIGUSR2', () => undefined);
  const lease = await queue.getLease();
  setLock(1n);
  await results.send('finishes');
  try {
    lease.doneSync();
  } catch (error) {
    setLock(0n);
    lease.doneSync();
    await results.send((error as { code: string }).code);
  }
}

/** Waits in a call, which it names. */
export async function waitFor(queue: JoinableQueue, results: Connection, what: 'get' | 'put' | 'join'): Promise<void> {
  await results.send(what);
  if (what === 'get') await queue.get();
  else if (what === 'put') await queue.put(Buffer.alloc(50_000));
  else await queue.join();
}

/** Puts large items for ever, each as long as all the memory. */
export async function putLargest(queue: JoinableQueue, results: Connection, size: number): Promise<void> {
  await results.send('started');
  for (;;) await queue.put(Buffer.alloc(size));
}

/** Is killed by a certain item, and finishes all others. */
export async function dieOf(queue: JoinableQueue<string>, poison: string): Promise<void> {
  for (;;) {
    const item = await queue.get();
    if (item === poison) process.kill(process.pid, 'SIGKILL');
    await queue.taskDone();
  }
}

/** Puts numbered items of random lengths for ever. Sends the number of each item that was accepted. */
export async function produceForEver(
  queue: JoinableQueue<Numbered>,
  accepted: Connection,
  producer: number,
  most: number,
): Promise<void> {
  const random = new Random(producer);
  for (let number = 0; ; number++) {
    await queue.put([producer, number, Buffer.alloc(random.below(most), number)]);
    accepted.sendSync([producer, number]);
  }
}

/** Finishes items for ever. Sends the name of each before it does so, and checks its bytes. */
export async function consumeForEver(queue: JoinableQueue<Numbered>, seen: Connection): Promise<void> {
  for (;;) {
    const lease = await queue.getLease();
    const [producer, number, data] = lease.item;
    const isWhole = data.every((byte) => byte === (number & 0xff));
    seen.sendSync([producer, number, isWhole]);
    await lease.done();
  }
}
