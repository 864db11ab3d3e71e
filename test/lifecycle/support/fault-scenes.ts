// SPDX-License-Identifier: MIT
//
// What the programs with failing system calls share: another process without them, and the problems found.
import { createInterface } from 'node:readline';

import { Process } from 'node-multiprocessing';

import { within } from '../../helpers/assertions.js';
import { Faults, type Plan } from './faults.js';

/** When a call counts as hanging. */
export const HANG_MS = 30_000;

export const faults = new Faults();
const problems: string[] = [];

/** A process without failing calls, which is told what to do by lines and answers by lines. */
export class Partner {
  readonly process: Process;
  readonly #lines: AsyncIterator<string>;

  constructor(module: URL, target: string, args: readonly unknown[]) {
    const env = { ...process.env, FAULTS: '' };
    this.process = new Process({ module, target, args: [...args], env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.process.start();
    // It may have ended already.
    this.process.stdin!.on('error', () => undefined);
    this.#lines = createInterface({ input: this.process.stdout! })[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    return ((await this.#lines.next()) as { value: string }).value;
  }

  tell(line: string): void {
    this.process.stdin!.write(`${line}\n`);
  }

  async end(): Promise<void> {
    this.process.stdin!.end();
    await this.process.join();
  }
}

/** `done`, or the code of the error. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'done',
    (error: unknown) => String((error as { code?: string }).code ?? error),
  );
}

export function problem(text: string): void {
  problems.push(text);
}

/** An error has the code of a system call, and a system call has failed. */
export function checkCode(code: string, fault: string | undefined, what: string): void {
  if (code !== 'done' && (fault === undefined || !/^E[A-Z]+$/.test(code))) problem(`${what}: ${code} at ${fault}`);
}

export function equal(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) problem(`${what}: ${String(actual)} instead of ${String(expected)}`);
}

/** Repeats a step, with another failing call each time. */
export async function eachPlan(what: string, body: (plan: Plan, what: string) => Promise<void>): Promise<void> {
  for (const plan of faults.plans()) {
    await within(HANG_MS, body(plan, what), `${what} with the failing call after ${[...faults.failed].at(-1)}`);
    if (problems.length > 20) return;
  }
}

/** Plays the scene that the command line names, and prints a FaultReport. */
export async function play(scenes: Readonly<Record<string, () => Promise<void>>>): Promise<void> {
  try {
    await scenes[process.argv[2] ?? '']!();
  } catch (error) {
    problem(String((error as Error).stack));
  }
  console.log(JSON.stringify({ faults: [...faults.failed], count: faults.count, problems }));
}
