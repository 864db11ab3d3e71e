// SPDX-License-Identifier: MIT
//
// Probes that compare ways to do the same thing, each in a process of its own that prints what one operation took. The ways
// take turns, so that a slow spell of the machine hits all of them.
import type { TrialOutput } from '../job.js';
import type { Options } from '../options.js';
import { compiledModule, peerSource } from '../paths.js';
import { runForJson } from '../run-program.js';
import { median } from '../statistics.js';

/** One way to do the thing. The program gets the warm-up and the measured time in milliseconds behind its arguments. */
export interface Way {
  readonly who: string;
  readonly command: readonly string[];
}

export interface Comparison {
  /** What one operation is. */
  readonly what: string;
  readonly ways: readonly Way[];
  /** Whose time the others are divided by in the table. */
  readonly yardstick: string;
}

/** A promise: `ours` takes at most `limit` times as long as `theirs`, and `extraNs` more. */
export interface Claim {
  readonly claim: string;
  readonly what: string;
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

/** Nanoseconds per operation, one value per repetition, by what was done and by whom. */
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
      what: 'acquire and release',
      yardstick: 'CPython',
      ways: [
        { who: 'ours', command: node('locks', 'uncontended') },
        { who: 'CPython', command: python('cpython_locks.py', 'uncontended') },
      ],
    },
    {
      what: 'hand-over between two processes',
      yardstick: 'CPython',
      ways: [
        { who: 'ours, sync', command: node('locks', 'sync') },
        { who: 'ours, async', command: node('locks', 'async') },
        { who: 'CPython', command: python('cpython_locks.py', 'hand-over') },
      ],
    },
  ],
  claims: [
    {
      claim: "uncontended lock: at most 2.5 x CPython's",
      what: 'acquire and release',
      ours: 'ours',
      theirs: 'CPython',
      limit: 2.5,
    },
    {
      claim: "hand-over of a lock, sync: at most 1.3 x CPython's",
      what: 'hand-over between two processes',
      ours: 'ours, sync',
      theirs: 'CPython',
      limit: 1.3,
    },
    {
      claim: 'hand-over of a lock, async: at most 2.2 x sync',
      what: 'hand-over between two processes',
      ours: 'ours, async',
      theirs: 'ours, sync',
      limit: 2.2,
    },
  ],
};

/** Items per second are promised, and time per item is measured. */
const queueFigures = [
  { item: 'bytes-64', format: 'structured', sides: '1', what: '64 B', faster: 2 },
  { item: 'record', format: 'structured', sides: '1', what: 'a record', faster: 1.2 },
  { item: 'record', format: 'json', sides: '1', what: 'a record', faster: 1.5 },
  { item: 'bytes-1m', format: 'structured', sides: '1', what: '1 MiB', faster: 1.5 },
  { item: 'bytes-64', format: 'structured', sides: '4', what: '64 B, 4 to 4', faster: 1.2 },
];

const queues: ComparisonProbe = {
  title: 'Queues (us per item)',
  comparisons: [...new Set(queueFigures.map(({ what }) => what))].map((what) => {
    const figures = queueFigures.filter((figure) => figure.what === what);
    const { item, sides } = figures[0] as (typeof queueFigures)[number];
    const ours = figures.map(({ format }) => ({
      who: `ours, ${format}`,
      command: node('queues', item, sides, format),
    }));
    return {
      what,
      yardstick: 'CPython',
      ways: [...ours, { who: 'CPython', command: python('cpython_queues.py', item, sides) }],
    };
  }),
  claims: queueFigures.map(({ what, format, faster }) => ({
    claim: `queue, ${what}, ${format}: at least ${faster} x the items of CPython's`,
    what,
    ours: `ours, ${format}`,
    theirs: 'CPython',
    limit: 1 / faster,
  })),
};

const pickled = { record: 'a record', rows: '10,000 rows', 'bytes-1m': '1 MiB of bytes' };

const pickles: ComparisonProbe = {
  title: 'Encoding and decoding (us)',
  comparisons: Object.entries(pickled).map(([value, what]) => ({
    what,
    yardstick: 'CPython',
    ways: [
      { who: 'ours', command: node('pickles', value, 'pickle') },
      { who: 'v8.serialize', command: node('pickles', value, 'v8') },
      { who: 'CPython', command: python('cpython_pickles.py', value) },
    ],
  })),
  claims: [
    ...Object.values(pickled).map((what) => ({
      claim: `pickle of ${what}: at most 2.5 x CPython's`,
      what,
      ours: 'ours',
      theirs: 'CPython',
      limit: 2.5,
    })),
    {
      claim: 'pickle of a record: below v8.serialize',
      what: 'a record',
      ours: 'ours',
      theirs: 'v8.serialize',
      limit: 1,
    },
  ],
};

const talk = { 'round-trip': '64 B and back', 'to-numpy': '8 MiB to numpy', 'from-numpy': '8 MiB from numpy' };

const withPython: ComparisonProbe = {
  title: 'With Python (us)',
  comparisons: Object.entries(talk).map(([mode, what]) => ({
    what,
    yardstick: 'Python and Python',
    ways: [
      { who: 'Node and Python', command: node('python', mode) },
      { who: 'Python and Python', command: python('cpython_talk.py', mode) },
    ],
  })),
  claims: Object.values(talk).map((what, i) => ({
    claim: `${what}: at most ${i === 0 ? '1.15' : '1 / 0.9'} x as long as between two Python processes`,
    what,
    ours: 'Node and Python',
    theirs: 'Python and Python',
    limit: i === 0 ? 1.15 : 1 / 0.9,
  })),
};

const start: ComparisonProbe = {
  title: 'Start to first message (us)',
  comparisons: [
    {
      what: 'a Node child',
      yardstick: 'fork',
      ways: [
        { who: 'Process', command: node('start', 'process') },
        { who: 'fork', command: node('start', 'fork') },
      ],
    },
    {
      what: 'a Python child',
      yardstick: 'import multiprocessing.spawn',
      ways: [
        { who: 'PythonProcess', command: node('start', 'python-process') },
        { who: 'import multiprocessing.spawn', command: node('start', 'python-import') },
      ],
    },
  ],
  claims: [
    {
      claim: 'start of a Process to its first message: at most 1.15 x fork',
      what: 'a Node child',
      ours: 'Process',
      theirs: 'fork',
      limit: 1.15,
    },
    {
      claim: 'start of a PythonProcess: at most 1.1 x python3 -c "import multiprocessing.spawn" and 15 ms',
      what: 'a Python child',
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
    for (const { what, ways } of comparisonProbes[id].comparisons) {
      progress(`${id} ${i + 1} of ${repetitions}: ${what}`);
      const ofThis = (results[what] ??= {});
      for (const { who, command } of ways) {
        const output = (await runForJson([...command, String(warmUpMs), String(measuredMs)])) as TrialOutput;
        (ofThis[who] ??= []).push(median(output.nsPerOperation));
      }
    }
  }
  return results;
}
