// SPDX-License-Identifier: MIT
//
// terminated-worker <load|use> <times>: terminates workers while they load the addon, or while they make and close
// objects, each worker a little later in that than the one before it. Prints "done", or a lack of descriptors.
import { readdirSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

interface Task {
  readonly stage: string;
  readonly reached: Int32Array;
}

/** What a worker has reached of its stage: nothing, the beginning, the end. */
const BEGUN = 1;
const ENDED = 2;

/** Terminates a worker after a delay from the beginning of its stage, or after all of it. How long it was in it. */
async function terminateAfter(stage: string, delayMs?: number): Promise<number> {
  const reached = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL(import.meta.url), { workerData: { stage, reached } satisfies Task });
  worker.on('error', () => undefined);
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  await new Promise((resolve) => worker.once('online', resolve));
  Atomics.wait(reached, 0, 0);
  const begun = performance.now();
  if (delayMs === undefined) Atomics.wait(reached, 0, BEGUN);
  else while (performance.now() < begun + delayMs);
  const spent = performance.now() - begun;
  await worker.terminate();
  await exited;
  return spent;
}

function reach({ reached }: Task, point: number): void {
  Atomics.store(reached, 0, point);
  Atomics.notify(reached, 0);
}

async function run(task: Task): Promise<void> {
  const { dlopen } = process as unknown as { dlopen: (...args: unknown[]) => unknown };
  Object.assign(process, {
    dlopen(...args: unknown[]) {
      if (task.stage === 'load') reach(task, BEGUN);
      const result = dlopen.apply(process, args);
      if (task.stage === 'load') reach(task, ENDED);
      return result;
    },
  });
  const { Pipe, Lock, Queue } = await import('node-multiprocessing');
  if (task.stage === 'use') reach(task, BEGUN);
  for (;;) {
    const [one, other] = Pipe();
    const lock = new Lock();
    const queue = new Queue();
    one.sendSync('a message');
    await other.recv();
    await lock.acquire();
    await queue.put('an item');
    await queue.get();
    for (const each of [one, other, lock, queue]) each.close();
    if (task.stage === 'use') reach(task, ENDED);
  }
}

if (isMainThread) {
  const [stage = '', times] = process.argv.slice(2);
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  // The first worker makes what Node keeps for all workers.
  const wholeMs = await terminateAfter(stage);
  const before = descriptors();
  const count = Number(times);
  for (let i = 0; i < count; i++) await terminateAfter(stage, (wholeMs * i) / count);
  console.log(descriptors() > before ? `${descriptors() - before} descriptors are left` : 'done');
} else {
  await run(workerData as Task);
}
