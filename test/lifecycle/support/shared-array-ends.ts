// SPDX-License-Identifier: MIT
//
// Members that end in every way while they have arrays over shared memory. Afterwards what they have sent can be used, what
// others have is unharmed, and no block is left once the test has released its own.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import { native } from '#lib/native/addon.js';
import { isSharedBuffer } from '#lib/shared-memory/array-views.js';

import { foreignEnv, packageRoot, turns } from '../../helpers/index.js';

const { sharedArray } = mp;

const module = join(packageRoot, 'out', 'test', 'peers', 'shared-arrays-peer.js');

/** The files of the blocks of this user's families. */
export function blocks(): string[] {
  const folders = native.families.folders();
  if (typeof folders === 'number') return [];
  return folders.flatMap((folder) => readdirSync(folder)).filter((file) => file.includes('.array.'));
}

/** Waits until the pool has removed the blocks of the arrays that were released. Returns those that stay. */
export async function blocksLeft(): Promise<string[]> {
  for (let i = 0; i < 500 && blocks().length > 0; i++) {
    await turns();
    native.arrays.trim();
  }
  return blocks();
}

/** How a member ends: by itself, or by a signal of its parent. */
export const ends = [
  'return',
  'exit',
  'error',
  'SIGTERM',
  'SIGKILL',
  'mapping',
  'message',
  'thread',
  'use',
  'queue',
] as const;

export type End = (typeof ends)[number];

/** A language of members: how to start one, with the arguments of `endBy`. */
export type Start = (args: readonly unknown[]) => mp.Process<never> | mp.PythonProcess;

type Member = [ours: mp.Connection, child: mp.Process<never> | mp.PythonProcess];

const stdio = ['ignore', 'ignore', 'ignore'] as const;

export const startNode: Start = (args) =>
  new mp.Process({ module, target: 'endBy', args: args as never, stdio: [...stdio] });

export function startPython(python: string): Start {
  const options = { python, pythonPath: join(packageRoot, 'test', 'peers'), env: foreignEnv(), stdio: [...stdio] };
  return (args) => new mp.PythonProcess({ ...options, target: 'shared_arrays:end_with', args });
}

/** Ends the member in the way that only its parent can bring about. */
async function bringAbout(how: End, [ours, child]: Member, array: Float64Array): Promise<void> {
  if (how === 'SIGTERM') child.terminate();
  else if (how === 'SIGKILL') child.kill();
  else if (how === 'mapping') {
    // The member answers each, and is in the middle of a later one when it is killed.
    for (let i = 0; i < 40; i++) {
      const one = sharedArray.from(Float64Array.of(i));
      await ours.send([one, array]);
      sharedArray.release(one);
    }
    for (let i = 0; i < 3; i++) expect(await ours.recv()).to.equal(i);
    child.kill();
  } else if (how === 'message') {
    await ours.send([array, array]);
    await ours.send('now');
    // What the member has sent is on its way, and so is what it does not receive.
    for (let i = 0; i < 5; i++) await ours.send(array);
    await ours.poll(null);
    child.kill();
    await child.join().catch(() => undefined);
    const [whole, part] = (await ours.recv()) as [Float64Array, Float64Array];
    expect([...whole, ...part]).to.deep.equal([2, 1, 3]);
  } else {
    await ours.send('now');
  }
}

/** One member has the array, and ends. */
export async function endOne(how: End, start: Start): Promise<void> {
  const array = sharedArray.from(Float64Array.of(1, 1));
  const [ours, theirs] = mp.Pipe(true, { serialization: 'pickle' });
  const queue = new mp.Queue<unknown>({ serialization: 'pickle' });
  const child = start([how, theirs, queue, array]);
  child.start();
  theirs.close();
  const made = (await ours.recv()) as Float64Array;
  await queue.put([array, made]);
  await bringAbout(how, [ours, child], array);
  await child.join().catch(() => undefined);
  expect([how, ...array, ...made]).to.deep.equal([how, 2, 1, 3]);
  array[1] = made[0] = 7;
  expect([how, ...array, ...made]).to.deep.equal([how, 2, 7, 7]);
  queue.close();
  ours.close();
  sharedArray.release(array);
  if (isSharedBuffer(made.buffer)) sharedArray.release(made);
}
