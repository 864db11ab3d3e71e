// SPDX-License-Identifier: MIT
//
// Targets of the tests' Processes that have a queue.
import { createInterface } from 'node:readline';
import { setImmediate as turn } from 'node:timers/promises';

import { type Connection, type JoinableQueue, type Queue } from 'node-multiprocessing';

import { Random } from '../../helpers/random.js';

/** An item: its producer, how many items that producer had put before, and bytes whose length follows from both. */
export type Item = readonly [producer: number, number: number, data: Uint8Array];

/** 0, or log-uniform from 1 byte to `most`. */
export function sizeOf(random: Random, most = 200_000): number {
  if (random.below(8) === 0) return 0;
  return Math.floor(Math.exp((random.below(1_000_000) / 1_000_000) * Math.log(most)));
}

function dataOf(producer: number, number: number, size: number): Buffer {
  return Buffer.alloc(size, (producer * 31 + number) & 0xff);
}

/** Puts numbered items. */
export async function produce(queue: Queue<Item | null>, producer: number, count: number, seed: number): Promise<void> {
  const random = new Random(seed + producer);
  for (let number = 0; number < count; number++) {
    await queue.put([producer, number, dataOf(producer, number, sizeOf(random))]);
  }
}

/** Gets until null. Sends the numbers that it got from each producer, in their order. */
export async function consume(queue: Queue<Item | null>, seed: number, results: Connection): Promise<void> {
  const seen = new Map<number, { numbers: number[]; random: Random; next: number }>();
  for (;;) {
    const item = await queue.get();
    if (item === null) break;
    const [producer, number, data] = item;
    let of = seen.get(producer);
    if (of === undefined) seen.set(producer, (of = { numbers: [], random: new Random(seed + producer), next: 0 }));
    let size = 0;
    // With a number that is lower than the one before, the expected number would never be reached.
    for (; of.next <= number; of.next++) size = sizeOf(of.random);
    if (of.next !== number + 1) throw new Error(`Item ${number} of producer ${producer} came behind a later one`);
    if (!dataOf(producer, number, size).equals(data)) {
      throw new Error(`Item ${number} of producer ${producer} is not what was put`);
    }
    of.numbers.push(number);
  }
  await results.send([...seen].map(([producer, { numbers }]) => [producer, numbers]));
}

/** Puts `count` numbers, and reports when it is done. */
export async function putNumbers(queue: Queue<number>, count: number, size: number): Promise<void> {
  for (let number = 0; number < count; number++)
    await queue.put(size === 0 ? number : ([number, 'x'.repeat(size)] as never));
}

/** Gets `count` items, and sends how many there were. */
export async function getNumbers(queue: Queue<number>, count: number, results: Connection): Promise<void> {
  for (let i = 0; i < count; i++) await queue.get();
  await results.send(count);
}

/** Takes items for ever. Sends `started` first. With `done` it is the consumer of the JoinableQueue example. */
export async function takeForEver(queue: JoinableQueue<unknown>, results: Connection, done: boolean): Promise<void> {
  await results.send('started');
  for (;;) {
    await queue.get();
    if (done) await queue.taskDone();
  }
}

/** Gets until a signal interrupts that, reports it, and gets nothing more until it is told to. */
export async function getInterrupted(queue: Queue<unknown>, results: Connection): Promise<void> {
  process.on('SIGUSR2', () => undefined);
  await results.send('started');
  try {
    queue.getSync();
  } catch (error) {
    await results.send((error as { code: string }).code);
  }
  await results.recv();
  await results.send(((await queue.get()) as unknown[]).length);
}

/** Puts an item, which waits in this process, until a signal comes. Reports how that ends. */
export async function putInterrupted(queue: Queue<unknown>, results: Connection): Promise<void> {
  process.on('SIGUSR2', () => undefined);
  let outcome = 'done';
  try {
    queue.putSync(Buffer.alloc(4_000_000));
  } catch (error) {
    outcome = (error as { code: string }).code;
  }
  await results.send(outcome);
}

/** Puts items for ever. Sends `started` first. */
export async function putForEver(
  queue: Queue<unknown>,
  results: Connection,
  seed: number,
  most: number,
): Promise<void> {
  await results.send('started');
  const random = new Random(seed);
  for (let number = 0; ; number++) await queue.put([number, Buffer.alloc(sizeOf(random, most))]);
}

/** Fills the queue. Another put takes the next free slot, and goes no further. */
export async function waitForSlot(queue: Queue<unknown>, count: number, results: Connection): Promise<void> {
  for (let number = 0; number < count; number++) await queue.put(number);
  void queue.put('never accepted');
  // The wait for the slot begins in the turn after.
  await turn();
  results.sendSync('waiting');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** Puts something, reports it, and ends at once. */
export async function putAndEnd(queue: Queue<unknown>, count: number, size: number, ending: string): Promise<void> {
  for (let number = 0; number < count; number++) await queue.put([number, Buffer.alloc(size)]);
  if (ending === 'cancel') queue.cancelJoinThread();
  if (ending === 'exit') process.exit(0);
  if (ending === 'throw') throw new Error('on purpose');
}

/** Puts many items in one turn of the event loop, and has no further turn until it is told that all were received. */
export async function putAndWork(queue: Queue<unknown>, count: number, told: Connection): Promise<void> {
  const puts = [];
  for (let number = 0; number < count; number++) puts.push(queue.put([number, 'x'.repeat(1000)]));
  told.recvSync();
  await Promise.all(puts);
}

/** Reports how a wait for an item or a slot ends. */
export async function waitAndTell(queue: Queue<unknown>, what: string, results: Connection): Promise<void> {
  await results.send('waiting');
  const outcome = await (what === 'get' ? queue.get() : queue.put('one more')).then(
    () => 'done',
    (error: unknown) => (error as { code: string }).code,
  );
  await results.send(outcome);
}

/** Reports what a loop over the queue has seen when it ends. */
export async function loopAndTell(queue: Queue<unknown>, results: Connection): Promise<void> {
  await results.send('waiting');
  const seen = [];
  for await (const item of queue) seen.push(item);
  await results.send(seen);
}

/** The same, at a command. */
export async function putNumbersWhenTold(queue: Queue<number>, count: number, gate: Connection): Promise<void> {
  await gate.recv();
  await putNumbers(queue, count, 8);
}

export type NumberedItem = readonly [number: number, bytes: Uint8Array];

/** Gets items and prints the number and the length of each, until a number is negative. */
export async function reportItems(queue: JoinableQueue<NumberedItem>): Promise<void> {
  for (;;) {
    const [number, bytes] = await queue.get();
    await queue.taskDone();
    if (number < 0) return;
    console.log(`${number} ${bytes.length}`);
  }
}

/** Puts an item for each line of its input, which has the number and the length. */
export async function putAsTold(queue: Queue<NumberedItem>): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const [number = 0, size] = line.split(' ').map(Number);
    await queue.put([number, new Uint8Array(size!)]);
  }
}
