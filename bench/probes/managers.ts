// SPDX-License-Identifier: MIT
//
// A manager's queue: `managers.js node|cpython time|cpu <clients> <warm-up ms> <measured ms>`, per put and get of unmodified clients of
// Python over TCP. Each client is a thread with a connection of its own, in at most two processes. `cpu` is the processor time
// of the server.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { ManagedQueue, ManagerServer } from 'node-multiprocessing/managers';

import { peerSource } from '../paths.js';
import { report } from '../sampling.js';

const authkey = Buffer.from('bench');

/** The kernel counts processor time in hundredths of a second. */
const TICK_NS = 1e7;

/** A server, and the processor time that it has had. */
interface Server {
  readonly port: number;
  cpuNs(): number;
  end(): void;
}

/** A program of Python, and its lines. */
function start(...args: string[]): { child: ChildProcess; ended: Promise<unknown>; line(): Promise<string> } {
  const child = spawn('python3', [peerSource('cpython_manager.py'), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`${args[0]} has ended`);
    return value;
  };
  return { child, ended: once(child, 'exit'), line };
}

function ofNode(): Server {
  const server = new ManagerServer({ address: ['127.0.0.1', 0], authkey });
  server.register('get_queue', new ManagedQueue());
  const cpuNs = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) * 1000;
  };
  return { port: Number(server.address[1]), cpuNs, end: () => server.close() };
}

async function ofPython(): Promise<Server> {
  const { child, line } = start('serve');
  const port = Number(await line());
  const cpuNs = (): number => {
    const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_NS;
  };
  return { port, cpuNs, end: () => child.kill() };
}

/** Times the usual measured time, since the kernel's count is a coarse one. */
const LONG = 10;

const [which, what, clients, warmUp = '', usual] = process.argv.slice(2);
const measured = `${LONG * Number(usual)}`;
const server = which === 'node' ? ofNode() : await ofPython();
const processes = Math.min(2, Number(clients));
const threads = `${Number(clients) / processes}`;
const programs = Array.from({ length: processes }, () => start('use', `${server.port}`, threads, warmUp, measured));
for (const { line } of programs) await line();
const before = server.cpuNs();
const begun = process.hrtime.bigint();
for (const { child } of programs) child.stdin?.write('go\n');
let count = 0;
for (const { line } of programs) count += Number(await line());
const elapsed = Number(process.hrtime.bigint() - begun);
report({ nsPerOperation: [(what === 'cpu' ? server.cpuNs() - before : elapsed) / count] });
await Promise.all(programs.map(({ ended }) => ended));
server.end();
