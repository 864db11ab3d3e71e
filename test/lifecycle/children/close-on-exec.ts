// SPDX-License-Identifier: MIT
//
// close-on-exec: starts with a pipe on descriptor 20, which Node leaves inheritable. Prints as JSON its flags before and
// after its adoption, and what a child of its own inherits at the end, when descriptors of every kind are open.
import { spawn } from 'node:child_process';
import { readFileSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

import { Connection, Pipe, wait } from 'node-multiprocessing';

import { turns } from '../../helpers/assertions.js';

const FD = 20;
const O_CLOEXEC = 0o2000000;

function closeOnExec(fd: number): boolean {
  const [, flags] = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? [];
  return (parseInt(flags as string, 8) & O_CLOEXEC) !== 0;
}

/** The descriptors that `ls` was born with, and the lowest free descriptor, with which it reads the folder. */
async function inherited(listed: readonly number[]): Promise<string[]> {
  const child = spawn('ls', ['/proc/self/fd'], { stdio: ['ignore', 'pipe', 'inherit', ...listed] });
  let text = '';
  child.stdout?.on('data', (data: Buffer) => (text += data.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  return text.trim().split('\n').sort();
}

// The program that started the tests may have passed descriptors on as well.
const atFirst = await inherited([]);
const before = closeOnExec(FD);
const adopted = Connection.fromFd<never, number>(FD);
const after = closeOnExec(FD);

const connections = [true, false].flatMap((duplex) =>
  ['nowait', 'reopen', 'poll'].flatMap((ioMethod) => {
    process.env['NODE_MULTIPROCESSING_RUNG'] = ioMethod;
    return [...(duplex ? Pipe<number>(true) : Pipe<number>(false))] as Connection<number>[];
  }),
);
// Each Connection waits, so that everything that waiting needs exists.
for (const connection of connections) {
  if (connection.readable) connection.recv().catch(() => undefined);
  else connection.sendBytes(Buffer.alloc(1_000_000)).catch(() => undefined);
}
wait([adopted, FD]).catch(() => undefined);
const [near, far] = Pipe();
await near.sendHandle(0);
await far.recvHandle();
const code = `import('node-multiprocessing').then(({ Pipe }) => {
  globalThis.pair = Pipe();
  pair[0].recv();
  require('node:worker_threads').parentPort.postMessage('waits');
});`;
const worker = new Worker(code, { eval: true });
await new Promise((resolve) => worker.once('message', resolve));
await turns();

const none = await inherited([]);
const one = await inherited([near.fileno()]);
writeSync(1, `${JSON.stringify({ before, after, atFirst, none, one })}\n`);
process.exit(0);
