// SPDX-License-Identifier: MIT
//
// Functions for pools. test/peers/pool_functions.py has the same ones in Python.
import { AsyncLocalStorage } from 'node:async_hooks';
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { spawn } from 'node:child_process';

import { currentTask, currentProcess, type Connection } from 'node-multiprocessing';

/** Writes a line at once, which the test waits for. */
export function say(line: string): void {
  writeSync(1, `${line}\n`);
}

let initialized: unknown = null;

export function initialize(value: unknown): void {
  initialized = value;
}

export function failing_initialize(): void {
  throw new RangeError('not today');
}

export function get_initialized(): unknown {
  return initialized;
}

export function add(a: number, b = 0): number {
  return a + b;
}

export function echo<T>(value: T): T {
  return value;
}

const remembered: WeakRef<object>[] = [];

export function remember<T extends object>(value: T): T {
  remembered.push(new WeakRef(value));
  return value;
}

/** How many of them were not collected. */
export async function count_remembered(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let i = 0; i < 3; i++) {
    await sleep(1);
    collect();
  }
  return remembered.filter((ref) => ref.deref() !== undefined).length;
}

export const request = new AsyncLocalStorage();

export async function get_request(): Promise<unknown> {
  await sleep(1);
  return request.getStore() ?? null;
}

export async function* get_requests(n: number): AsyncGenerator {
  for (let i = 0; i < n; i++) yield await get_request();
}

export function get_context(): unknown {
  return currentTask()!.context;
}

export function pid(): number {
  return process.pid;
}

export function name(): string {
  return currentProcess().name;
}

export function variable(key: string): string | null {
  return process.env[key] ?? null;
}

export async function add_async(a: number, b: number): Promise<number> {
  await sleep(1);
  return a + b;
}

export function fail(text: string): never {
  throw new RangeError(text);
}

/** Takes a while, so that a kill finds it at work. */
export async function take<T>(ms: number, value: T): Promise<T> {
  return await sleep(ms, value);
}

/** As `take`, and says first which process runs the task. */
export async function take_and_tell<T>(ms: number, value: T): Promise<T> {
  currentTask()!.progress(process.pid);
  return await take(ms, value);
}

/** Fails for one of several items. */
export function square_or_fail(value: number): number {
  if (value === 3) throw new RangeError('three');
  return value * value;
}

export function exit_with(code: number): void {
  writeSync(2, 'last words\n');
  process.exit(code);
}

export function kill_self(signal: NodeJS.Signals | number = 'SIGKILL'): void {
  process.kill(process.pid, signal);
}

/** Says that it has begun, and gives up when it is cancelled. */
export async function wait_until_cancelled(): Promise<void> {
  say(`begun ${process.pid}`);
  try {
    await sleep(600_000, undefined, { signal: currentTask()!.signal });
  } finally {
    say('given up');
  }
}

/** Says that it has begun, and ignores that it is cancelled. */
export async function ignore_cancel(): Promise<void> {
  say(`begun ${process.pid}`);
  for (;;) await sleep(600_000);
}

/** Dies until a file exists, which it makes. */
export async function die_once(file: string): Promise<number> {
  const { existsSync, writeFileSync } = await import('node:fs');
  if (existsSync(file)) return currentTask()!.attempt;
  writeFileSync(file, '');
  process.kill(process.pid, 'SIGKILL');
  return -1;
}

export function* count(n: number): Generator<number> {
  try {
    for (let i = 0; i < n; i++) yield i;
  } finally {
    say('closed');
  }
}

export async function* count_async(n: number): AsyncGenerator<number> {
  for (let i = 0; i < n; i++) yield await Promise.resolve(i);
}

export function* count_and_fail(n: number): Generator<number> {
  for (let i = 0; i < n; i++) yield i;
  throw new RangeError('enough');
}

export async function* one_and_wait(): AsyncGenerator<number> {
  yield 1;
  await wait_until_cancelled();
}

export function* blocks(count: number, size: number): Generator<Buffer> {
  for (let i = 0; i < count; i++) yield Buffer.alloc(size, i);
}

export function unsendable(): unknown {
  return () => 1;
}

export function unsendable_error(): never {
  throw Object.assign(new RangeError('odd'), { handler: () => 1 });
}

export function grow(megabytes: number): number {
  (globalThis as { grown?: Buffer }).grown = Buffer.alloc(megabytes * 2 ** 20, 1);
  return process.pid;
}

export async function report(): Promise<string> {
  currentTask()!.progress(1, 2);
  currentTask()!.progress(2, 2);
  currentTask()!.log('half way', 'WARNING');
  await sleep(1);
  return `${currentTask()!.id} ${currentTask()!.attempt}`;
}

/** Returns the number of the task after an await, and leaves code behind that sends it again when it is asked to. */
export async function leaveBehind(conn: Connection): Promise<number> {
  const number = (): number | undefined => currentTask()?.id;
  void conn.recv().then(() => conn.send(number()));
  number();
  await sleep(1);
  return number() as number;
}

/** Asks for its task only when it is asked to, which may be after its end. */
export function ask_later(conn: Connection): void {
  void conn.recv().then(() => conn.send(currentTask()?.id));
}

/** Asks for its task after something has come. */
export async function ask_after(conn: Connection): Promise<number | undefined> {
  await conn.send('begun');
  await conn.recv();
  return currentTask()?.id;
}

export function report_progress(): string {
  const { progress } = currentTask()!;
  progress(1, 2);
  progress(0.5);
  progress(2, 2);
  return 'reported';
}

/** Starts a process that holds this one's standard streams, and dies. */
export function leave_child(): void {
  const child = spawn('sleep', ['5'], { stdio: 'inherit' });
  say(`child ${child.pid}`);
  process.kill(process.pid, 'SIGKILL');
}

export async function send(connection: Connection<string, never>): Promise<void> {
  await connection.send('hello');
  connection.close();
}

export function noise(): string {
  writeSync(1, '\0\x01\x02 noise without an end');
  writeSync(2, 'and on the error');
  return 'quiet';
}

/** Dies as soon as its result is written. */
export function answer_and_die(): string {
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), 0);
  return 'answered';
}

// For the ports of CPython's tests.

export function sqr(x: number): number {
  return x * x;
}

export function mul(x: number, y: number): number {
  return x * y;
}

export function raising(key: string): never {
  throw new Error(key);
}

export async function wait_until_cancelled_with(): Promise<void> {
  await sleep(600_000, undefined, { signal: currentTask()!.signal });
}
