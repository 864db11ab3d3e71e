// SPDX-License-Identifier: MIT
//
// process-parent <ending> <daemon|child> <target>: starts a process with descriptor 3 among its arguments, and ends in
// the named way when a line on its standard input says so.
import { readdirSync, readFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

import { Connection, Process } from 'node-multiprocessing';

import { turns } from '../../helpers/assertions.js';

const [ending, kind, target] = (isMainThread ? process.argv.slice(2) : workerData) as [string, string, string];
const module = new URL('./process-lifetime-targets.js', import.meta.url);

/** The child has nothing of the parent that would hide the parent's end from the test. */
function start(...rest: unknown[]): Process {
  const connection = Connection.fromFd(3);
  const stdio = ['ignore', 'ignore', rest.length > 0 ? 'inherit' : 'ignore'] as const;
  const args = [connection, ...rest];
  const child = new Process({ module, target, args, daemon: kind === 'daemon', stdio: [...stdio] });
  child.start();
  connection.close();
  return child;
}

/** The children of this process that exist, zombies included. */
function children(): string {
  const ofTask = (task: string): string => {
    try {
      return readFileSync(`/proc/self/task/${task}/children`, 'utf8').trim();
    } catch (error) {
      // A thread that has ended since the folder was listed. Its children belong to the process all the same.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    }
  };
  return readdirSync('/proc/self/task').map(ofTask).join(' ').trim();
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

async function mainThread(): Promise<void> {
  let worker: Worker | undefined;
  if (ending.startsWith('worker')) {
    worker = new Worker(new URL(import.meta.url), { workerData: [ending, kind, target] });
  } else {
    start();
  }
  const input = createInterface({ input: process.stdin });
  for await (const line of input) {
    if (line === 'end the worker') {
      const ended = new Promise((resolve) => worker?.once('exit', resolve));
      if (ending === 'worker-terminate') await worker?.terminate();
      else worker?.postMessage('end');
      await ended;
      say('worker ended');
    } else if (line === 'children') {
      while (children() !== '') await turns();
      say('no children');
    } else {
      break;
    }
  }
  input.close();
  process.stdin.destroy();
  if (ending === 'exit') process.exit(3);
  if (ending === 'throw') throw new Error('thrown on purpose');
  say('last line of the parent');
}

if (!isMainThread) {
  start();
  parentPort?.once('message', () => process.exit(0));
} else if (ending === 'at-once') {
  start(Buffer.alloc(1024 * 1024));
  process.exit(3);
} else if (ending === 'killed-early') {
  start(Buffer.alloc(64 * 1024 * 1024));
  process.kill(process.pid, 'SIGKILL');
} else {
  void mainThread();
}
