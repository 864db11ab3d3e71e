// SPDX-License-Identifier: MIT
//
// lock-signal <main|worker> <call> <descriptor> [listener]: makes a Sync call and prints how it ends. After an
// InterruptedError it makes the call again. Listens for the named signal.
import { writeSync } from 'node:fs';
import { isMainThread, Worker } from 'node:worker_threads';

import { turns } from '../../helpers/assertions.js';
import { attachTarget, lockCalls, type Target } from '../support/locks.js';

const [place, callName, descriptor, listener] = process.argv.slice(2) as [string, string, string, string | undefined];

function say(what: Record<string, unknown>): void {
  writeSync(1, `${JSON.stringify(what)}\n`);
}

function work(): void {
  const object = attachTarget(JSON.parse(descriptor) as Target);
  const { start, again } = lockCalls.find(({ name }) => name === callName)!;
  for (let round = 0; ; round++) {
    say({ calling: round });
    try {
      say({ result: (round === 0 ? start : again)(object as never) });
      return;
    } catch (error) {
      const { code } = error as { code: string };
      say({ code });
      if (code !== 'ERR_MP_INTERRUPTED') return;
    }
  }
}

if (isMainThread) {
  const heard: string[] = [];
  if (listener !== undefined) process.on(listener, (signal: string) => heard.push(signal));
  if (place === 'worker') {
    const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
    await new Promise((resolve) => worker.once('exit', resolve));
  } else {
    work();
  }
  await turns();
  say({ heard: [...new Set(heard)] });
} else {
  work();
}
