// SPDX-License-Identifier: MIT
//
// many-workers <rounds> <workers>: in each round many workers load the addon at once and talk to the main thread, each
// over a pair of its own. Of three workers one is terminated, one calls process.exit(), and one ends naturally.
import { readdirSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

import { Pipe } from 'node-multiprocessing';

import { turns } from '../../helpers/assertions.js';

/** If it were collected, the wait of the idle Connection would end, and the worker with it. */
const kept: unknown[] = [];

async function work({ end }: { end: number }): Promise<void> {
  const [near, far] = Pipe<number>();
  const [idle, other] = Pipe<number>();
  kept.push(other);
  idle.recv().catch(() => undefined);
  for (let i = 0; i < 50; i++) {
    near.send(i).catch(() => undefined);
    if (far.recvSync() !== i) throw new Error('the messages are out of order');
    const answer = near.recv();
    await far.send(-i);
    if ((await answer) !== -i) throw new Error('the messages are out of order');
  }
  parentPort?.postMessage('done');
  if (end === 1) process.exit(0);
  if (end === 2) idle.close();
}

async function host(rounds: number, count: number): Promise<void> {
  let before = 0;
  for (let round = 0; round <= rounds; round++) {
    const workers = Array.from({ length: count }, async (_, i) => {
      const end = i % 3;
      const worker = new Worker(new URL(import.meta.url), { workerData: { end } });
      const exited = new Promise<number>((resolve, reject) => worker.once('exit', resolve).once('error', reject));
      await new Promise((resolve) => worker.once('message', resolve));
      if (end === 0) await worker.terminate();
      const code = await exited;
      if (code !== (end === 0 ? 1 : 0)) throw new Error(`A worker ended with ${code}`);
    });
    await Promise.all(workers);
    await turns();
    const now = readdirSync('/proc/self/fd').length;
    // The first round makes what Node keeps.
    if (round === 0) before = now;
    else if (now > before) throw new Error(`${now - before} descriptors are left after round ${round}`);
  }
  process.stdout.write('done');
}

if (isMainThread) await host(Number(process.argv[2]), Number(process.argv[3]));
else await work(workerData as { end: number });
