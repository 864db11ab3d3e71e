// SPDX-License-Identifier: MIT
//
// Probes that compare ways to do the same thing. Each way is a process of its own that prints the time of one
// operation. The ways take turns, so that a slow spell of the machine hits all of them.
import type { TrialOutput } from '../job.js';
import type { Options } from '../options.js';
import { compiledModule, peerSource } from '../paths.js';
import { runForJson } from '../run-program.js';
import { median } from '../statistics.js';

/**
 * One way to do an operation. Its command gets two more arguments: the warm-up and the measured time in milliseconds.
 */
export interface Way {
  readonly label: string;
  readonly command: readonly string[];
}

export interface Comparison {
  /** What is done once per sample. */
  readonly operation: string;
  readonly ways: readonly Way[];
  /** The label of the way by whose time the table divides the others. */
  readonly yardstick: string;
}

/** A promise: `ours` takes at most `limit` times as long as `theirs`, and `extraNs` more. */
export interface Claim {
  readonly claim: string;
  readonly operation: string;
  readonly ours: string;
  readonly theirs: string;
  readonly limit: number;
  readonly extraNs?: number;
}

export interface ComparisonProbe {
  readonly title: string;
  readonly comparisons: readonly Comparison[];
  readonly claims: readonly Claim[];
}

/** Nanoseconds per operation, one value per repetition, by operation and by the label of the way. */
export type ComparisonResult = Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;

const node = (module: string, ...args: string[]): readonly string[] => [
  process.execPath,
  compiledModule(`probes/${module}`),
  ...args,
];
const python = (file: string, ...args: string[]): readonly string[] => ['python3', peerSource(file), ...args];

const locks: ComparisonProbe = {
  title: 'Locks (us)',
  comparisons: [
    {
      operation: 'acquire and release',
      yardstick: 'CPython',
      ways: [
        { label: 'ours', command: node('locks', 'uncontended') },
        { label: 'CPython', command: python('cpython_locks.py', 'uncontended') },
      ],
    },
    {
      operation: 'hand-over between two processes',
      yardstick: 'CPython',
      ways: [
        { label: 'ours, sync', command: node('locks', 'sync') },
        { label: 'ours, async', command: node('locks', 'async') },
        { label: 'CPython', command: python('cpython_locks.py', 'hand-over') },
      ],
    },
  ],
  claims: [
    {
      claim: "uncontended lock: at most 2.5 x CPython's",
      operation: 'acquire and release',
      ours: 'ours',
      theirs: 'CPython',
      limit: 2.5,
    },
    {
      claim: "hand-over of a lock, sync: at most 1.3 x CPython's",
      operation: 'hand-over between two processes',
      ours: 'ours, sync',
      theirs: 'CPython',
      limit: 1.3,
    },
    {
      claim: 'hand-over of a lock, async: at most 2.2 x sync',
      operation: 'hand-over between two processes',
      ours: 'ours, async',
      theirs: 'ours, sync',
      limit: 2.2,
    },
  ],
};

/** The promise is about items per second; the measurement is the time per item. */
const queueFigures = [
  { item: 'bytes-64', format: 'structured', sides: '1', operation: '64 B', faster: 2 },
  { item: 'record', format: 'structured', sides: '1', operation: 'a record', faster: 1.2 },
  { item: 'record', format: 'json', sides: '1', operation: 'a record', faster: 1.5 },
  { item: 'bytes-1m', format: 'structured', sides: '1', operation: '1 MiB', faster: 1.5 },
  { item: 'bytes-64', format: 'structured', sides: '4', operation: '64 B, 4 to 4', faster: 1.2 },
];

const queues: ComparisonProbe = {
  title: 'Queues (us per item)',
  comparisons: [...new Set(queueFigures.map(({ operation }) => operation))].map((operation) => {
    const figures = queueFigures.filter((figure) => figure.operation === operation);
    const { item, sides } = figures[0] as (typeof queueFigures)[number];
    const ours = figures.map(({ format }) => ({
      label: `ours, ${format}`,
      command: node('queues', item, sides, format),
    }));
    return {
      operation,
      yardstick: 'CPython',
      ways: [...ours, { label: 'CPython', command: python('cpython_queues.py', item, sides) }],
    };
  }),
  claims: queueFigures.map(({ operation, format, faster }) => ({
    claim: `queue, ${operation}, ${format}: at least ${faster} x the items of CPython's`,
    operation,
    ours: `ours, ${format}`,
    theirs: 'CPython',
    limit: 1 / faster,
  })),
};

const pickled = { record: 'a record', rows: '10,000 rows', 'bytes-1m': '1 MiB of bytes' };

const pickles: ComparisonProbe = {
  title: 'Encoding and decoding (us)',
  comparisons: Object.entries(pickled).map(([value, operation]) => ({
    operation,
    yardstick: 'CPython',
    ways: [
      { label: 'ours', command: node('pickles', value, 'pickle') },
      { label: 'v8.serialize', command: node('pickles', value, 'v8') },
      { label: 'CPython', command: python('cpython_pickles.py', value) },
    ],
  })),
  claims: [
    ...Object.values(pickled).map((operation) => ({
      claim: `pickle of ${operation}: at most 2.5 x CPython's`,
      operation,
      ours: 'ours',
      theirs: 'CPython',
      limit: 2.5,
    })),
    {
      claim: 'pickle of a record: below v8.serialize',
      operation: 'a record',
      ours: 'ours',
      theirs: 'v8.serialize',
      limit: 1,
    },
  ],
};

const talk = { 'round-trip': '64 B and back', 'to-numpy': '8 MiB to numpy', 'from-numpy': '8 MiB from numpy' };

const withPython: ComparisonProbe = {
  title: 'With Python (us)',
  comparisons: Object.entries(talk).map(([mode, operation]) => ({
    operation,
    yardstick: 'Python and Python',
    ways: [
      { label: 'Node and Python', command: node('python', mode) },
      { label: 'Python and Python', command: python('cpython_talk.py', mode) },
    ],
  })),
  claims: Object.values(talk).map((operation, i) => ({
    claim: `${operation}: at most ${i === 0 ? '1.15' : '1 / 0.9'} x as long as between two Python processes`,
    operation,
    ours: 'Node and Python',
    theirs: 'Python and Python',
    limit: i === 0 ? 1.15 : 1 / 0.9,
  })),
};

const start: ComparisonProbe = {
  title: 'Start to first message (us)',
  comparisons: [
    {
      operation: 'a Node child',
      yardstick: 'fork',
      ways: [
        { label: 'Process', command: node('start', 'process') },
        { label: 'fork', command: node('start', 'fork') },
      ],
    },
    {
      operation: 'a Python child',
      yardstick: 'import multiprocessing.spawn',
      ways: [
        { label: 'PythonProcess', command: node('start', 'python-process') },
        { label: 'import multiprocessing.spawn', command: node('start', 'python-import') },
      ],
    },
  ],
  claims: [
    {
      claim: 'start of a Process to its first message: at most 1.15 x fork',
      operation: 'a Node child',
      ours: 'Process',
      theirs: 'fork',
      limit: 1.15,
    },
    {
      claim: 'start of a PythonProcess: at most 1.1 x python3 -c "import multiprocessing.spawn" and 15 ms',
      operation: 'a Python child',
      ours: 'PythonProcess',
      theirs: 'import multiprocessing.spawn',
      limit: 1.1,
      extraNs: 15e6,
    },
  ],
};

export const comparisonProbes = { locks, queues, pickles, python: withPython, start } as const;

export type ComparisonId = keyof typeof comparisonProbes;

export const comparisonIds = Object.keys(comparisonProbes) as ComparisonId[];

/** Runs every way once per repetition. */
export async function compare(
  id: ComparisonId,
  { repetitions, warmUpMs, measuredMs }: Options,
  progress: (line: string) => void,
): Promise<ComparisonResult> {
  const results: Record<string, Record<string, number[]>> = {};
  for (let i = 0; i < repetitions; i++) {
    for (const { operation, ways } of comparisonProbes[id].comparisons) {
      progress(`${id} ${i + 1} of ${repetitions}: ${operation}`);
      const ofThis = (results[operation] ??= {});
      for (const { label, command } of ways) {
        const output = (await runForJson([...command, String(warmUpMs), String(measuredMs)])) as TrialOutput;
        (ofThis[label] ??= []).push(median(output.nsPerOperation));
      }
    }
  }
  return results;
}
