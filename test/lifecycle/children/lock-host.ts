// SPDX-License-Identifier: MIT
//
// lock-host <where> <call> <descriptor>: makes a call that waits, in the main thread or a worker, reports it, and ends
// at the next line of its input in the way that `where` names: main-exit, worker-main-exit, worker-terminate,
// worker-exit. With the call "hold" the worker acquires the lock and keeps it.
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

import { turns } from '../../helpers/assertions.js';
import { attachTarget, lockCalls, type Target } from '../support/locks.js';

interface Task {
  readonly call: string;
  readonly target: Target;
}

async function wait({ call, target }: Task, say: (word: string) => void): Promise<void> {
  const object = attachTarget(target);
  if (call === 'hold') {
    (object as { acquireSync(): boolean }).acquireSync();
    say('held');
    parentPort?.ref();
    return;
  }
  const { start, sync } = lockCalls.find(({ name }) => name === call)!;
  if (sync) say('calling');
  const pending = start(object as never);
  void (pending as Promise<unknown>).catch(() => undefined);
  await turns();
  say('pending');
}

async function main(): Promise<void> {
  const [where, call, descriptor] = process.argv.slice(2) as [string, string, string];
  const task: Task = { call, target: JSON.parse(descriptor) as Target };
  const say = (word: string): void => {
    writeSync(1, `${word}\n`);
  };
  if (where === 'main-exit') {
    await wait(task, say);
    await once(process.stdin, 'data');
    process.exit(7);
  }
  const worker = new Worker(new URL(import.meta.url), { workerData: task });
  const ended = once(worker, 'exit');
  worker.on('message', say);
  await once(process.stdin, 'data');
  if (where === 'worker-main-exit') process.exit(7);
  if (where === 'worker-terminate') await worker.terminate();
  else worker.postMessage('exit');
  await ended;
  say('ended');
  // The process stays, so that other processes can notice nothing but the worker's end.
  process.stdin.resume();
  process.stdin.once('end', () => process.exit(0));
}

if (isMainThread) {
  await main();
} else {
  parentPort?.on('message', () => process.exit(3));
  await wait(workerData as Task, (word) => {
    parentPort?.postMessage(word);
  });
}
