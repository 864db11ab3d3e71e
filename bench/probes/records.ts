// SPDX-License-Identifier: MIT
//
// Records that are sent one way as structured clones: `records.js ours|process.send|MessagePort <warm-up ms> <measured
// ms>`. The receiver answers each batch. `process.send` has serialization 'advanced'; MessagePort leads to a worker.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

import * as mp from 'node-multiprocessing';

import { record } from '../peers/values.js';
import { report, sample, timesFrom } from '../sampling.js';

const BATCH = 2000;
/** After so many sends the last one is awaited. */
const WINDOW = 500;

/** Calls `answer` after each batch of messages. */
function answering(answer: () => void): () => void {
  let received = 0;
  return () => {
    received++;
    if (received % BATCH === 0) answer();
  };
}

export async function receiveAll(conn: mp.Connection): Promise<void> {
  const received = answering(() => {
    conn.sendSync('done');
  });
  for await (const batch of conn.batches()) batch.forEach(received);
}

/** What sends a batch and waits for the answer, and what ends the receiver. */
interface Sender {
  run(count: number): Promise<void>;
  end(): void;
}

function ours(): Sender {
  const [conn, theirs] = mp.Pipe(true, { sends: 'accepted' });
  new mp.Process({ module: import.meta.url, target: 'receiveAll', args: [theirs], daemon: true }).start();
  theirs.close();
  return {
    async run(count) {
      for (let i = 1; i <= count; i++) {
        const accepted = conn.send(record(i));
        if (i % WINDOW === 0) await accepted;
      }
      await conn.recv();
    },
    end: () => {
      conn.close();
    },
  };
}

function processSend(): Sender {
  const child = fork(fileURLToPath(import.meta.url), ['receive'], { serialization: 'advanced' });
  return {
    async run(count) {
      const answered = once(child, 'message');
      for (let i = 0; i < count; i++) {
        if (!child.send(record(i))) await new Promise(setImmediate);
      }
      await answered;
    },
    end: () => {
      child.disconnect();
    },
  };
}

function messagePort(): Sender {
  const worker = new Worker(fileURLToPath(import.meta.url));
  return {
    async run(count) {
      const answered = once(worker, 'message');
      for (let i = 0; i < count; i++) worker.postMessage(record(i));
      await answered;
    },
    end: () => {
      void worker.terminate();
    },
  };
}

async function main([how, ...times]: string[]): Promise<void> {
  const makers: Record<string, () => Sender> = { ours, 'process.send': processSend, MessagePort: messagePort };
  const make = makers[how ?? ''];
  if (make === undefined) throw new TypeError(`no such way: ${how}`);
  const sender = make();
  report(await sample(timesFrom(times[0], times[1]), BATCH, (count) => sender.run(count)));
  sender.end();
}

if (!isMainThread) {
  const port = parentPort;
  port?.on(
    'message',
    answering(() => port.postMessage('done')),
  );
} else if (process.argv[2] === 'receive') {
  process.on(
    'message',
    answering(() => process.send?.('done')),
  );
} else if (mp.isMainProcess) {
  await main(process.argv.slice(2));
}
