// SPDX-License-Identifier: MIT
//
// The targets of the tests' Processes.
import { getEventListeners } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs';
import { url as inspectorUrl } from 'node:inspector';
import { Worker } from 'node:worker_threads';

import * as mp from 'node-multiprocessing';

import { timersDuring } from '../../helpers/fairness.js';

/** Any Connection, whatever it carries. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Any = mp.Connection<any, any>;

export function nothing(): void {
  // The start of the process is all that the test needs.
}

/** Sends everything back until the end of data. */
export async function echo(connection: Any): Promise<void> {
  for await (const value of connection) await connection.send(value);
}

export async function sendAll(connection: Any, ...values: unknown[]): Promise<void> {
  for (const value of values) await connection.send(value);
}

export async function sendNumber(connection: Any, number: number, lock: mp.Lock): Promise<void> {
  await lock.withLock(() => connection.send(number));
}

/** Sends how many timers run during a loop of joins of the parent that answer at once. */
export async function joinParentInLoop(connection: Any): Promise<void> {
  await connection.send(await timersDuring(() => mp.parentProcess()!.join(0), 3));
}

/** Sends how joins of the parent end whose signals have aborted, and abort: their codes, and what they leave behind. */
export async function abortJoinsOfParent(connection: Any): Promise<void> {
  const parent = mp.parentProcess()!;
  const codeOf = ({ code }: { code: string }): string => code;
  const controller = new AbortController();
  const { signal } = controller;
  const early = await parent.join({ signal: AbortSignal.abort() }).catch(codeOf);
  const waits = parent.join({ signal }).catch(codeOf);
  setImmediate(() => controller.abort());
  await connection.send([early, await waits, getEventListeners(signal, 'abort').length, await parent.join(0)]);
}

/** What a process knows about itself. */
export interface Self {
  readonly pid: number;
  readonly ppid: number;
  readonly name: string;
  readonly daemon: boolean;
  readonly authkey: string;
  readonly main: boolean;
  readonly parentPid: number | undefined;
  readonly parentName: string | undefined;
  readonly argv: readonly string[];
  readonly execArgv: readonly string[];
  readonly cwd: string;
  readonly mark: string | undefined;
}

export async function describeSelf(connection: Any): Promise<void> {
  const parent = mp.parentProcess();
  const { name, daemon, authkey, pid } = mp.currentProcess();
  await connection.send({
    pid,
    ppid: process.ppid,
    name,
    daemon,
    authkey: authkey.toString('hex'),
    main: mp.isMainProcess,
    parentPid: parent?.pid,
    parentName: parent?.name,
    argv: process.argv.slice(1),
    execArgv: process.execArgv,
    cwd: process.cwd(),
    mark: process.env['PROCESS_TEST_MARK'],
  } satisfies Self);
}

/** Reports that it runs, and then runs for ever. */
export async function forever(connection: Any): Promise<void> {
  setInterval(() => undefined, 60_000);
  await connection.send('running');
}

/** The same, with an event loop that JavaScript blocks for ever. */
export function spin(connection: Any): void {
  connection.sendSync('running');
  for (;;);
}

/** The same, blocked in a call of the package. */
export function block(connection: Any): void {
  const [reader] = mp.Pipe();
  connection.sendSync('running');
  reader.recvSync();
}

/** The same, and ignores SIGTERM. */
export async function ignoreTerm(connection: Any): Promise<void> {
  process.on('SIGTERM', () => undefined);
  await forever(connection);
}

/** Ends at a command. */
export async function untilTold(connection: Any): Promise<void> {
  await connection.send('running');
  await connection.recv();
}

export function exitWith(code: number): void {
  process.exit(code);
}

/** Ends with an uncaught error. */
export function fail(message: string): void {
  throw new RangeError(message);
}

export function failWith(value: unknown): void {
  throw value;
}

/** Fails after the function has returned. */
export function failLater(): void {
  setImmediate(() => {
    throw new Error('later');
  });
}

export async function rejectLater(): Promise<never> {
  await new Promise((resolve) => setImmediate(resolve));
  throw new Error('rejected');
}

/** Catches its own errors and ends well. */
export function failAndCatch(): void {
  process.on('uncaughtException', () => undefined);
  throw new Error('caught');
}

/** Ends by a signal in the middle of its work. */
export function killSelf(signal: NodeJS.Signals): void {
  process.kill(process.pid, signal);
  setInterval(() => undefined, 60_000);
}

export function print(out: string, error: string): void {
  writeSync(1, out);
  writeSync(2, error);
}

export async function readInput(connection: Any): Promise<void> {
  await connection.send(readFileSync(0, 'utf8'));
}

/** Every open descriptor: its number and its target. */
export function descriptors(): string[] {
  const found: string[] = [];
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      // The descriptor of the folder that is being read.
      if (!target.includes('/proc/')) found.push(`${fd} ${target}`);
    } catch {
      continue;
    }
  }
  return found;
}

export async function sendDescriptors(connection: Any): Promise<void> {
  await connection.send(descriptors());
}

/** Holds a lock until a command to release it. */
export async function holdLock(connection: Any, lock: mp.Lock): Promise<void> {
  await lock.acquire();
  await connection.send('held');
  await connection.recv();
  lock.release();
}

/** Acquires and releases each object, and reports which objects are identical. */
export async function useLocks(
  connection: Any,
  locks: { lock: mp.Lock; rlock: mp.RLock; semaphore: mp.Semaphore; bounded: mp.BoundedSemaphore },
  condition: mp.Condition,
  event: mp.Event,
): Promise<void> {
  for (const lock of Object.values(locks)) {
    await lock.acquire();
    lock.release();
  }
  await event.wait();
  await condition.acquire();
  await condition.notify();
  condition.release();
  await connection.send([...Object.values(locks), condition, event].map((object) => object.constructor.name));
}

/** The child of a child. Reports what its parent is. */
export async function grandchild(connection: Any): Promise<void> {
  const child = new mp.Process({ module: import.meta.url, target: describeSelf, args: [connection] });
  child.start();
  await child.join();
}

/** Where a debugger finds this process. */
export async function tellInspector(connection: Any): Promise<void> {
  await connection.send(inspectorUrl() ?? 'none');
}

/** Whether a process that may start no children can start one. */
export async function startFromHere(connection: Any): Promise<void> {
  const child = new mp.Process({ module: import.meta.url, target: nothing });
  let refused = 'nothing';
  try {
    child.start();
    await child.join();
  } catch (error) {
    refused = (error as { code: string }).code;
  }
  await connection.send(refused);
}

/** Waits for the end of its parent in every way there is, and reports them. */
export async function watchParent(connection: Any): Promise<void> {
  const parent = mp.parentProcess()!;
  // Before the test is told, which ends the parent then.
  const inTime = await parent.join(0);
  await connection.send(['running', process.pid, parent.isAlive()]);
  const [ready] = await mp.wait([parent, connection]);
  await connection.send([inTime, ready === parent, parent.isAlive(), await parent.join(), parent.joinSync()]);
}

/** A worker thread of a child sees what its main thread sees. */
export async function inWorker(connection: Any): Promise<void> {
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData).then((mp) => {
      parentPort.postMessage([mp.isMainProcess, mp.currentProcess().name, mp.parentProcess().pid]);
    });`;
  const workerData = import.meta.resolve('node-multiprocessing');
  const worker = new Worker(program, { eval: true, workerData });
  const seen = await new Promise((resolve) => worker.once('message', resolve));
  await connection.send(seen);
}
