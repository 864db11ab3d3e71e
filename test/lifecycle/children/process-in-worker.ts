// SPDX-License-Identifier: MIT
//
// process-in-worker: starts processes from the main thread and from a worker. Prints as JSON what they are.
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

import { currentProcess, Pipe, Process } from 'node-multiprocessing';

import { describeSelf, forever } from './process-targets.js';

const module = new URL('./process-targets.js', import.meta.url);

async function startOne(): Promise<{ self: unknown; name: string; exitcode: number | null }> {
  const [ours, theirs] = Pipe();
  const child = new Process({ module, target: describeSelf, args: [theirs] });
  child.start();
  theirs.close();
  const self = await ours.recv();
  await child.join();
  ours.close();
  return { self, name: child.name, exitcode: child.exitcode };
}

function authkey(): string {
  return currentProcess().authkey.toString('hex');
}

async function startKilled(): Promise<number | null> {
  const [ours, theirs] = Pipe();
  const child = new Process({ module, target: forever, args: [theirs] });
  child.start();
  theirs.close();
  await ours.recv();
  child.kill();
  child.joinSync();
  ours.close();
  return child.exitcode;
}

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  const told = new Promise<{ key: string; one: Awaited<ReturnType<typeof startOne>>; killed: number }>((resolve) =>
    worker.once('message', resolve),
  );
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  const here = await startOne();
  const { key, one, killed } = await told;
  await ended;
  const result = {
    parent: authkey(),
    worker: key,
    inWorker: one.self,
    names: [here.name, one.name],
    exitcodes: [here.exitcode, one.exitcode, killed],
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
} else {
  parentPort!.postMessage({ key: authkey(), one: await startOne(), killed: await startKilled() });
}
