// SPDX-License-Identifier: MIT
//
// A worker thread that attaches objects, runs tasks on them and posts the results.
import { parentPort } from 'node:worker_threads';

import { attach, type Connection, type Lock } from 'node-multiprocessing';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Any = Connection<any, any>;

let connection: Any | undefined;
let lock: Lock | undefined;

const tasks: Record<string, (descriptor: never) => unknown> = {
  async echo(descriptor) {
    const echoing = attach(descriptor) as unknown as Any;
    await echoing.send(await echoing.recv());
    echoing.close();
    return 'echoed';
  },
  async 'read all'(descriptor) {
    const values: unknown[] = [];
    const reading = attach(descriptor) as unknown as Any;
    for await (const value of reading) values.push(value);
    reading.close();
    return values;
  },
  keep(descriptor) {
    connection = attach(descriptor) as unknown as Any;
    return 'kept';
  },
  async send(value) {
    await connection?.send(value);
    return 'sent';
  },
  close() {
    connection?.close();
    return 'closed';
  },
  async acquire(descriptor) {
    lock = attach(descriptor);
    await lock.acquire();
    return 'acquired';
  },
  release() {
    lock?.release();
    lock?.close();
    return 'released';
  },
  end() {
    parentPort?.close();
    return 'ended';
  },
};

parentPort?.on('message', ({ what, descriptor }: { what: string; descriptor: never }) => {
  Promise.resolve(tasks[what]?.(descriptor)).then(
    (answer) => parentPort?.postMessage(answer),
    (error: unknown) => {
      throw error;
    },
  );
});
