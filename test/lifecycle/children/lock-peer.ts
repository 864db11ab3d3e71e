// SPDX-License-Identifier: MIT
//
// lock-peer <descriptor>: attaches to an object and runs on it the calls that standard input names, each a JSON array
// of a member and its arguments. It prints {calling} before a Sync call, {pending} after an asynchronous call was made,
// and how each call ends. ["exit", code] ends the process, as the end of the input does; ["block"] blocks the event
// loop for ever. With "create" it makes a Lock instead, and ["describe"] prints the descriptor for other processes.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { describe, Lock } from 'node-multiprocessing';

import { attachTarget, type Target } from '../support/locks.js';

type Members = Record<string, ((...args: unknown[]) => unknown) | number | boolean | undefined>;

function say(what: Record<string, unknown>): void {
  writeSync(1, `${JSON.stringify(what)}\n`);
}

const target = JSON.parse(process.argv[2] as string) as Target | 'create';
const object = (target === 'create' ? new Lock() : attachTarget(target)) as unknown as Members;
say({ ready: process.pid });

async function run(call: string, args: unknown[]): Promise<void> {
  try {
    const member = object[call];
    if (call.endsWith('Sync')) say({ calling: call });
    let result = typeof member === 'function' ? member.apply(object, args) : member;
    if (result instanceof Promise) {
      say({ pending: call });
      result = await result;
    }
    say({ call, result });
  } catch (error) {
    const { code, pid, certain } = error as { code: string; pid?: number; certain?: boolean };
    say({ call, code, ...(pid === undefined ? {} : { pid, certain }) });
  }
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [call, ...args] = JSON.parse(line) as [string, ...unknown[]];
    if (call === 'exit') process.exit(args[0] as number);
    if (call === 'block') {
      say({ blocked: true });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    }
    if (call === 'describe') say({ call, result: describe(object as unknown as Lock) });
    else void run(call, args);
  })
  .on('close', () => process.exit(0));
