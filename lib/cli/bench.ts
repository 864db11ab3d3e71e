// SPDX-License-Identifier: MIT
//
// A short comparison that runs anywhere: round trips of a small message between two processes, over each way by turns, so
// that all of them meet the same machine. The benchmark of the checkout (`npm run bench`) measures much more.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

import type { Connection } from '../connection/connection.js';
import type { Pipe } from '../connection/pipe.js';
import type { Process } from '../process/process.js';
import type { PythonProcess } from '../python/python-process.js';

/** What is measured, as programs import it. */
interface Package {
  readonly Pipe: typeof Pipe;
  readonly Process: typeof Process;
  readonly PythonProcess: typeof PythonProcess;
}

/** One way. The keys are those of `bench --json`. */
export interface Measurement {
  readonly way: string;
  /** The median of the rounds, in microseconds for one round trip; null if the way is not there. */
  readonly microseconds: number | null;
  readonly tripsPerSecond: number | null;
  /** Why the way is not there. */
  readonly problem: string | null;
}

/** What was measured. The keys are those of `bench --json`. */
export interface Comparison {
  readonly bytes: number;
  readonly measurements: readonly Measurement[];
}

interface Way {
  trip(): unknown;
  end(): unknown;
}

const BYTES = 64;
const ROUNDS = 5;
const MESSAGE = 'x'.repeat(BYTES);

const ECHO = `
try:
    while True:
        connection.send(connection.recv())
except EOFError:
    pass
`;

/** The file with the functions of the other side. */
const peer = new URL('./bench-peer.js', import.meta.url);

async function overConnection(mine: Connection, process: { join(): Promise<boolean> }): Promise<Way> {
  const way: Way = {
    trip: () => {
      void mine.send(MESSAGE);
      return mine.recv();
    },
    end: async () => {
      mine.close();
      await process.join();
    },
  };
  await way.trip();
  return way;
}

async function withNode(mp: Package): Promise<Way> {
  const [mine, theirs] = mp.Pipe();
  const child = new mp.Process({ module: peer, target: 'echo', args: [theirs] });
  child.start();
  theirs.close();
  return await overConnection(mine, child);
}

async function withPython(mp: Package): Promise<Way> {
  const [mine, theirs] = mp.Pipe(true, { serialization: 'pickle' });
  const child = new mp.PythonProcess({ target: 'builtins:exec', args: [ECHO, { connection: theirs }] });
  try {
    child.start();
  } finally {
    theirs.close();
  }
  return await overConnection(mine, child);
}

async function withFork(): Promise<Way> {
  const child = fork(fileURLToPath(peer), { execArgv: [] });
  const way: Way = {
    trip: async () => {
      child.send(MESSAGE);
      await once(child, 'message');
    },
    end: async () => {
      child.disconnect();
      await once(child, 'exit');
    },
  };
  await way.trip();
  return way;
}

async function withWorker(): Promise<Way> {
  const worker = new Worker(peer);
  const way: Way = {
    trip: async () => {
      worker.postMessage(MESSAGE);
      await once(worker, 'message');
    },
    end: () => worker.terminate(),
  };
  await way.trip();
  return way;
}

async function microseconds(way: Way, roundMs: number): Promise<number> {
  const begin = performance.now();
  let trips = 0;
  while (performance.now() < begin + roundMs) {
    for (let i = 0; i < 20; i++) await way.trip();
    trips += 20;
  }
  return ((performance.now() - begin) * 1000) / trips;
}

/**
 * Measures all ways, by turns.
 *
 * @param roundMs How long each of the five rounds of a way takes, in milliseconds.
 */
export async function compareWays(roundMs: number): Promise<Comparison> {
  const mp = (await import(new URL('../index.js', import.meta.url).href)) as Package;
  const makers: readonly (readonly [name: string, make: () => Promise<Way>])[] = [
    ['Connection, Node and Node', () => withNode(mp)],
    ['Connection, Node and Python', () => withPython(mp)],
    ['process.send, Node and Node', withFork],
    ['postMessage, two threads', withWorker],
  ];
  const ways: { name: string; way: Way; times: number[] }[] = [];
  const missing: Measurement[] = [];
  try {
    for (const [name, make] of makers) {
      try {
        ways.push({ name, way: await make(), times: [] });
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        missing.push({ way: name, microseconds: null, tripsPerSecond: null, problem });
      }
    }
    for (let round = 0; round < ROUNDS; round++) {
      for (const { way, times } of ways) times.push(await microseconds(way, roundMs));
    }
    const measured = ways.map(({ name: way, times }): Measurement => {
      const median = times.sort((a, b) => a - b)[ROUNDS >> 1] as number;
      return { way, microseconds: median, tripsPerSecond: 1e6 / median, problem: null };
    });
    return { bytes: BYTES, measurements: [...measured, ...missing] };
  } finally {
    for (const { way } of ways) await way.end();
  }
}
