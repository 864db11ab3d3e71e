// SPDX-License-Identifier: MIT
//
// worker-host <ending> <kind> [call] [imports]: workers wait in calls. Ends the workers, or itself, in some way. With
// "imports" the main thread uses the package too.
import { readdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

import { turns } from '../../helpers/assertions.js';
import type { Kind } from '../../helpers/channels.js';
import { asyncCalls, possible, syncCalls, type Call } from '../support/connection-calls.js';
import { untilWorkersAsleep } from '../support/programs.js';
import type { WorkerTask } from './worker-call.js';

const [ending, kindName, callName, imports] = process.argv.slice(2);
const kind = kindName as Kind;

function start(task: WorkerTask): { worker: Worker; exited: Promise<number>; waiting: Promise<void> } {
  const worker = new Worker(new URL('./worker-call.js', import.meta.url), { workerData: task });
  worker.on('error', () => undefined);
  const exited = new Promise<number>((resolve) => worker.once('exit', resolve));
  const said = new Promise((resolve) => worker.once('message', resolve));
  const waiting = said.then((word) => (word === 'calling' ? untilWorkersAsleep(process.pid, 'sync call') : undefined));
  return { worker, exited, waiting };
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Runs `use` for every call and asserts that afterwards no descriptor is left. */
async function forEachCall(calls: readonly Call[], use: (call: Call) => Promise<void>): Promise<void> {
  // The first worker makes what Node keeps for all workers.
  await use(calls[0] as Call);
  const before = descriptors();
  for (const call of calls) {
    await use(call);
    process.stdout.write(`${call.name} `);
  }
  await turns();
  if (descriptors() > before) throw new Error(`${descriptors() - before} descriptors are left`);
}

async function terminateAll(): Promise<void> {
  await forEachCall([...possible(asyncCalls, kind), ...possible(syncCalls, kind)], async (call) => {
    const { worker, waiting } = start({ kind, call: call.name });
    await waiting;
    const code = await worker.terminate();
    if (code !== 1) throw new Error(`${call.name}: terminate() resolved to ${code}`);
  });
}

async function endThemselves(then: 'exit' | 'throw'): Promise<void> {
  await forEachCall(possible(asyncCalls, kind), async (call) => {
    const { exited } = start({ kind, call: call.name, then });
    const code = await exited;
    if (code !== (then === 'exit' ? 3 : 1)) throw new Error(`${call.name}: the worker ended with ${code}`);
  });
}

async function endWithWorker(): Promise<void> {
  const { waiting } = start({ kind, call: callName as string });
  await waiting;
  if (ending === 'main-exit') process.exit(7);
  if (ending === 'main-throw') throw new Error('thrown on purpose');
}

if (imports !== undefined) {
  const { Pipe } = await import('node-multiprocessing');
  // A call that waits as well, and must not keep the process from ending.
  Pipe()[0]
    .recv()
    .catch(() => undefined);
}
if (ending === 'terminate') await terminateAll();
else if (ending === 'worker-exit') await endThemselves('exit');
else if (ending === 'worker-throw') await endThemselves('throw');
else await endWithWorker();
