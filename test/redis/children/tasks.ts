// SPDX-License-Identifier: MIT
//
// Functions for the workers of a RedisPool.
import { currentTask } from 'node-multiprocessing';

export function double(number: number): number {
  return 2 * number;
}

export function add(a: number, b: number): number {
  return a + b;
}

export function fail(message: string): never {
  throw new RangeError(message);
}

/** Ends its process, until an attempt is the last one. */
export function die(attempts: number): number {
  const attempt = currentTask()?.attempt ?? 0;
  if (attempt < attempts) process.kill(process.pid, 'SIGKILL');
  return attempt;
}

export function unsendable(): () => void {
  return () => undefined;
}

/** Runs until it is aborted. */
export async function wait(): Promise<void> {
  await new Promise((resolve) => currentTask()?.signal.addEventListener('abort', resolve));
}

/** Runs until its process is killed. */
export async function hang(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1_000_000));
}
