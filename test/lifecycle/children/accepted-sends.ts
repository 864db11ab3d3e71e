// SPDX-License-Identifier: MIT
//
// accepted-sends <what> [written]: sends messages on descriptor 3, and then does what keeps its event loop from a turn.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

import { Connection } from 'node-multiprocessing';

const [what, mode = 'accepted'] = isMainThread ? process.argv.slice(2) : (workerData as string[]);

/** The first message is written at once. The others wait for the end of the turn. */
function send(connection: Connection, count: number, size: number): void {
  for (let i = 0; i < count; i++) void connection.sendBytes(Buffer.alloc(size, i));
}

function connect(): Connection {
  const limit = what === 'exit-unread' ? { exitFlushMs: 100 } : {};
  return Connection.fromFd(3, mode === 'accepted' ? { sends: 'accepted', ...limit } : {});
}

function waitForEver(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

if (!isMainThread) {
  const [count, size] = what === 'terminate' ? [5, 100] : [8, 100_000];
  send(connect(), count, size);
  parentPort?.postMessage('sent');
  for (;;);
} else if (what === 'exit-above' || what === 'exit-unread') {
  const worker = new Worker(new URL(import.meta.url), { workerData: [what, mode] });
  worker.once('message', () => process.exit(0));
} else if (what?.startsWith('terminate') === true) {
  const worker = new Worker(new URL(import.meta.url), { workerData: [what, mode] });
  worker.once('message', () => {
    void worker.terminate().then(() => process.stdout.write('terminated\n'));
  });
  if (what !== 'terminate-end') process.stdin.resume();
} else {
  const connection = connect();
  if (what === 'full') {
    // The kernel has no room for all of it, and this thread never learns that there is room.
    send(connection, 8, 100_000);
    waitForEver();
  }
  send(connection, 5, 100);
  if (what === 'atomics') waitForEver();
  if (what === 'command') execFileSync('sh', ['-c', 'read line'], { stdio: 'inherit' });
  if (what === 'computation') for (;;);
  if (what === 'sync') readFileSync(0);
  if (what === 'exit') process.exit(0);
  if (what === 'late') {
    // Whatever is sent after the thread has written for the first time is written as well.
    setImmediate(() => {
      send(connection, 3, 100);
      const until = performance.now() + 20;
      while (performance.now() < until);
      send(connection, 3, 100);
      for (;;);
    });
  }
  if (what === 'lost') {
    // The peer reads the first message alone, and is gone.
    process.stdin.once('data', () => process.exit(0));
    send(connection, 8, 100_000);
    process.stdout.write('sent\n');
  }
}
