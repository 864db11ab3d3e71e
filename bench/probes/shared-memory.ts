// SPDX-License-Identifier: MIT
//
// Shared memory: `shared-memory.js to-numpy|pieces|copy|increment|block <warm-up ms> <measured ms>`.
//
// `to-numpy` passes a shared array of 8 MiB to Python, which answers with its sum. `pieces` copies 8 MiB into another
// shared array each time and passes that on, with up to four on their ways; `copy` is that copy alone. `increment` adds
// one to a Value under its lock. `block` takes the memory of an array of 8 MiB from the pool and gives it back.
import { dirname } from 'node:path';

import * as mp from 'node-multiprocessing';

import type { TrialOutput } from '../job.js';
import { peerSource } from '../paths.js';
import { report, sample, timesFrom } from '../sampling.js';

const LENGTH = 1024 * 1024;
const BYTES = 8 * LENGTH;
const MOST = 4;
/** How many blocks are taken before those that were given up come back. */
const BLOCKS = 10;

const { sharedArray } = mp;
const [mode, warmUp, measured] = process.argv.slice(2);
const times = timesFrom(warmUp, measured);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function withPython(
  what: string,
  measure: (connection: mp.Connection<unknown, unknown>) => Promise<TrialOutput>,
): Promise<TrialOutput> {
  const [ours, theirs] = mp.Pipe();
  const child = new mp.PythonProcess({
    target: 'talker:talk',
    args: [theirs, what],
    pythonPath: dirname(peerSource('talker.py')),
    python: 'python3',
    daemon: true,
  });
  child.start();
  theirs.close();
  const output = await measure(ours);
  ours.close();
  await child.join();
  return output;
}

const source = Float64Array.from({ length: LENGTH }, (_, i) => i);

function toNumpy(): Promise<TrialOutput> {
  const array = sharedArray.from(source);
  return withPython('sum', (connection) =>
    sample(times, 5, (count) => {
      for (let i = 0; i < count; i++) {
        connection.sendSync(array);
        connection.recvBytesSync();
      }
    }),
  );
}

function pieces(): Promise<TrialOutput> {
  return withPython('to-numpy', (connection) =>
    sample(times, 32, async (count) => {
      const sent: Float64Array[] = [];
      const answered = async (): Promise<void> => {
        await connection.recvBytes();
        sharedArray.release(sent.shift() as Float64Array);
      };
      for (let i = 0; i < count; i++) {
        if (sent.length === MOST) await answered();
        const piece = sharedArray.from(source);
        sent.push(piece);
        await connection.send(piece);
      }
      while (sent.length > 0) await answered();
    }),
  );
}

function copy(): Promise<TrialOutput> {
  const copies = Array.from({ length: MOST + 1 }, () => new Float64Array(LENGTH));
  return sample(times, 32, (count) => {
    for (let i = 0; i < count; i++) copies[i % copies.length]?.set(source);
  });
}

function increment(): Promise<TrialOutput> {
  const value = new mp.Value('i', 0);
  const lock = value.getLock();
  return sample(times, 10_000, (count) => {
    for (let i = 0; i < count; i++) {
      lock.acquireSync();
      value.value++;
      lock.release();
    }
  });
}

function block(): Promise<TrialOutput> {
  return sample(times, 20 * BLOCKS, async (count) => {
    for (let i = 0; i < count; i++) {
      sharedArray.release(sharedArray(Uint8Array, BYTES));
      if (i % BLOCKS === 0) await turn();
    }
  });
}

const modes: Record<string, () => Promise<TrialOutput>> = { 'to-numpy': toNumpy, pieces, copy, increment, block };
const chosen = modes[mode ?? ''];
if (chosen === undefined) throw new TypeError(`no such mode: ${mode}`);
report(await chosen());
