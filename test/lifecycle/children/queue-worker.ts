// SPDX-License-Identifier: MIT
//
// queue-worker <ending> [call]: workers wait in calls of queues. Ends the workers, or itself, in some way.
import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

import { turns } from '../../helpers/assertions.js';
import { untilThreadAsleep } from '../support/programs.js';
import { queueCalls } from '../support/queue-calls.js';

type Ending = 'terminate' | 'worker-exit' | 'worker-throw' | 'main-exit' | 'main-throw';

interface Task {
  readonly call: string;
  readonly ending: Ending;
}

async function inWorker({ call, ending }: Task): Promise<void> {
  const start = queueCalls[call] as () => unknown;
  if (call.endsWith('Sync')) {
    // /proc/<pid>/task/<tid>
    parentPort?.postMessage(Number(basename(readlinkSync('/proc/thread-self'))));
    start();
    return;
  }
  void (start() as Promise<unknown>).catch(() => undefined);
  await turns();
  parentPort?.postMessage('pending');
  if (ending === 'worker-exit') process.exit(3);
  if (ending === 'worker-throw') throw new Error('thrown on purpose');
}

async function waiting(task: Task): Promise<{ worker: Worker; exited: Promise<number> }> {
  const worker = new Worker(new URL(import.meta.url), { workerData: task });
  worker.on('error', () => undefined);
  const exited = new Promise<number>((resolve) => worker.once('exit', resolve));
  const word = await new Promise((resolve) => worker.once('message', resolve));
  if (typeof word === 'number') await untilThreadAsleep(process.pid, word, 'sync poll', 'futex');
  return { worker, exited };
}

async function main(ending: Ending, only: string | undefined): Promise<void> {
  for (const call of Object.keys(queueCalls)) {
    if (only !== undefined && only !== call) continue;
    if (ending.startsWith('worker') && call.endsWith('Sync')) continue;
    const { worker, exited } = await waiting({ call, ending });
    if (ending === 'main-exit') process.exit(7);
    if (ending === 'main-throw') throw new Error('thrown on purpose');
    const code = ending === 'terminate' ? await worker.terminate() : await exited;
    const expected = ending === 'worker-exit' ? 3 : 1;
    if (code !== expected) throw new Error(`${call}: the worker ended with ${code}`);
    process.stdout.write(`${call} `);
  }
}

if (isMainThread) await main(process.argv[2] as Ending, process.argv[3]);
else await inWorker(workerData as Task);
