// SPDX-License-Identifier: MIT
//
// What Node members do with a queue, each in a process of its own.
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { attach, describe, JoinableQueue, type Queue, type SimpleQueue } from 'node-multiprocessing';

import { GOT, Ledger, makeItem, PUT, readItem, REST_MS, TORN, type Place } from './ledger.js';

export type AnyQueue = Queue<Uint8Array | null> | SimpleQueue<Uint8Array | null>;

/** Puts items until it is told to stop. */
export async function produce(queue: AnyQueue, place: Place): Promise<void> {
  const ledger = new Ledger(place);
  try {
    for (let number = 0; !ledger.step(); number++) {
      if (ledger.rests) await sleep(REST_MS);
      await queue.put(makeItem(place.member, number, place.sizes[number % place.sizes.length]!));
      ledger.write(PUT, place.member, number);
    }
  } catch (error) {
    ledger.error(error);
  }
  queue.close();
  ledger.close();
}

/** Gets items until null, with one call at a time. */
export async function consume(queue: AnyQueue, place: Place): Promise<void> {
  const ledger = new Ledger(place);
  try {
    for (;;) {
      const item = await queue.get();
      if (item !== null) {
        const { producer, number, whole } = readItem(item);
        ledger.write(whole ? GOT : TORN, producer, number);
      }
      if (queue instanceof JoinableQueue) await queue.taskDone();
      if (item === null) break;
      ledger.step();
    }
  } catch (error) {
    ledger.error(error);
  }
  queue.close();
  ledger.close();
}

/** The same in a worker. SIGUSR2 terminates the worker while the process lives on for a moment. */
export async function inWorker(queue: AnyQueue, role: 'produce' | 'consume', place: Place): Promise<void> {
  const workerData = { descriptor: describe(queue, { nodeOnly: true }), role, place };
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData });
  process.once('SIGUSR2', () => {
    void worker.terminate().then(() => {
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), 200);
    });
  });
  await new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', resolve);
  });
  queue.close();
}

/** A queue from its description, in a worker. */
export function attached(descriptor: unknown): AnyQueue {
  return attach(descriptor as never) as unknown as AnyQueue;
}
