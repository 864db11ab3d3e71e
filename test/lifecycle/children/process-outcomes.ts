// SPDX-License-Identifier: MIT
//
// Processes that do not get to their function, or fail in it, by the way in which they do. Run as a worker, this module starts
// one and posts how it has ended.
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';

import * as mp from 'node-multiprocessing';

export function nothing(): void {
  // The function that is not reached.
}

/** Writes a message to the parent that is no report. */
export function writeToParent(value: unknown): void {
  const body = serialize(value);
  const head = Buffer.alloc(4);
  head.writeInt32BE(body.length);
  writeSync(mp.parentProcess()!.sentinel, Buffer.concat([head, body]));
}

/** Writes bytes to the parent that are no message. */
export function writeGarbage(): void {
  writeSync(mp.parentProcess()!.sentinel, Buffer.alloc(64, 0x9f));
}

export async function neverSettles(): Promise<void> {
  await new Promise(() => undefined);
}

export async function exitsWhileItWaits(): Promise<void> {
  setImmediate(() => process.exit());
  await new Promise(() => undefined);
}

/** Writes a message to the parent, and fails in a way that leaves no report. */
export function writeAndFail(value: unknown): void {
  writeToParent(value);
  process.exit(1);
}

/** The modules of a folder that some of the processes need. */
export const modules: Readonly<Record<string, string>> = {
  'throws.cjs': 'throw new Error("preload")',
  'exits.cjs': 'process.exit(0)',
  'aborts.cjs': 'process.abort()',
  'catches.cjs': 'process.on("uncaughtException", () => {})',
  'waits.mjs': 'await new Promise(() => {}); export function work() {}',
  'exits-while-imported.mjs': 'process.exit(0); export function work() {}',
  'killed-while-imported.mjs':
    'process.kill(process.pid, "SIGKILL"); await new Promise(() => {}); export function work() {}',
  'throws.mjs': 'throw new Error("while imported"); export function work() {}',
  'exits.py': 'import os\nos._exit(0)\n',
  'raises_exit.py': 'raise SystemExit(0)\n',
};

/** Makes each process, by a description. It needs the folder of the modules, and the interpreter for children in Python. */
export const processes: Readonly<Record<string, (folder: string, python: string) => mp.Process | mp.PythonProcess>> = {
  'an option that Node does not have': () => withOptions(['--no-such-option']),
  'a preloaded module that throws': (folder) => withOptions(['-r', join(folder, 'throws.cjs')]),
  'a preloaded module that exits with 0': (folder) => withOptions(['-r', join(folder, 'exits.cjs')]),
  'a preloaded module that aborts': (folder) => withOptions(['-r', join(folder, 'aborts.cjs')]),
  'an addon that must not be loaded': () => withOptions(['--no-addons']),
  'a module that throws, whose error is caught': (folder) =>
    withOptions(['-r', join(folder, 'catches.cjs')], join(folder, 'throws.mjs')),
  'a module that waits for ever': (folder) => withOptions([], join(folder, 'waits.mjs')),
  'a module that exits with 0': (folder) => withOptions([], join(folder, 'exits-while-imported.mjs')),
  'a module that is killed': (folder) => withOptions([], join(folder, 'killed-while-imported.mjs')),
  'a module that does not export the function': () => inThisModule('isNotThere'),
  'a function whose promise is never settled': () => inThisModule('neverSettles'),
  'a program that is not Python': () =>
    new mp.PythonProcess({ target: 'math:sqrt', args: [4], python: '/bin/true', stdio: 'ignore' }),
  'a Python module that exits with 0': (folder, python) =>
    new mp.PythonProcess({ target: 'exits:work', python, pythonPath: folder, stdio: 'ignore' }),
  'a Python module that raises SystemExit': (folder, python) =>
    new mp.PythonProcess({ target: 'raises_exit:work', python, pythonPath: folder, stdio: 'ignore' }),
  'a Python module without the function': (_folder, python) =>
    new mp.PythonProcess({ target: 'math:is_not_there', python, stdio: 'ignore' }),
  'a Python function that raises': (_folder, python) =>
    new mp.PythonProcess({ target: 'math:sqrt', args: [-1], python, stdio: 'ignore' }),
};

function withOptions(execArgv: readonly string[], module?: string): mp.Process {
  const target = module === undefined ? 'nothing' : 'work';
  return new mp.Process({ module: module ?? import.meta.url, target, execArgv, stdio: 'ignore' });
}

function inThisModule(target: string): mp.Process {
  return new mp.Process({ module: import.meta.url, target, stdio: 'ignore' });
}

/** How a process has ended. */
export interface Outcome {
  readonly joined?: boolean;
  readonly code?: string;
  readonly stage?: string;
  readonly exitcode: number | null;
}

/** Starts a process and waits for its end. */
export async function outcomeOf(child: mp.Process | mp.PythonProcess, how: 'join' | 'joinSync'): Promise<Outcome> {
  child.start();
  try {
    return { joined: await child[how](), exitcode: child.exitcode };
  } catch (error) {
    const { code, stage } = error as mp.ChildProcessError;
    return { code, stage, exitcode: child.exitcode };
  }
}

interface Request {
  readonly name: string;
  readonly folder: string;
  readonly python: string;
}

if (!isMainThread && mp.isMainProcess) {
  const { name, folder, python } = workerData as Request;
  parentPort!.postMessage(await outcomeOf(processes[name]!(folder, python), 'join'));
}
