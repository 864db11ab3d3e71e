// SPDX-License-Identifier: MIT
//
// Probes that compare ways to do the same thing. Each way is a process of its own that prints the time of one
// operation. The ways take turns, so that a slow spell of the machine hits all of them.
import type { TrialOutput } from '../job.js';
import type { Options } from '../options.js';
import { runForJson } from '../run-program.js';
import { median } from '../statistics.js';
import { node, python, whatLacks, type ComparisonProbe } from './comparison.js';
import { managers, redis } from './remote-comparisons.js';
import { sharedMemory } from './shared-memory-comparisons.js';

/** Nanoseconds per operation, one value per repetition, by operation and by the label of the way. */
export type ComparisonResult = Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;

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
  { item: 'bytes-64', format: 'structured', how: 'single', sides: '1', operation: '64 B', faster: 2.5 },
  { item: 'bytes-64', format: 'structured', how: 'many', sides: '1', operation: '64 B', faster: 5 },
  { item: 'record', format: 'structured', how: 'single', sides: '1', operation: 'a record', faster: 2 },
  { item: 'record', format: 'json', how: 'single', sides: '1', operation: 'a record', faster: 1.5 },
  { item: 'bytes-1m', format: 'structured', how: 'single', sides: '1', operation: '1 MiB', faster: 1.5 },
  { item: 'bytes-64', format: 'structured', how: 'single', sides: '4', operation: '64 B, 4 to 4', faster: 2 },
];

const queueLabel = ({ format, how }: (typeof queueFigures)[number]): string =>
  `ours, ${format}${how === 'many' ? ', getMany' : ''}`;

const queues: ComparisonProbe = {
  title: 'Queues (us per item)',
  comparisons: [...new Set(queueFigures.map(({ operation }) => operation))].map((operation) => {
    const figures = queueFigures.filter((figure) => figure.operation === operation);
    const { item, sides } = figures[0] as (typeof queueFigures)[number];
    const ours = figures.map((figure) => ({
      label: queueLabel(figure),
      command: node('queues', item, sides, figure.format, figure.how),
    }));
    return {
      operation,
      yardstick: 'CPython',
      ways: [...ours, { label: 'CPython', command: python('cpython_queues.py', item, sides) }],
    };
  }),
  claims: queueFigures.map((figure) => ({
    claim: `queue, ${figure.operation}, ${queueLabel(figure)}: at least ${figure.faster} x the items of CPython's`,
    operation: figure.operation,
    ours: queueLabel(figure),
    theirs: 'CPython',
    limit: 1 / figure.faster,
  })),
};

const records: ComparisonProbe = {
  title: 'Records one way (us)',
  comparisons: [
    {
      operation: 'a record, structured',
      yardstick: 'MessagePort',
      ways: [
        { label: 'ours', command: node('records', 'ours') },
        { label: 'process.send, advanced', command: node('records', 'process.send') },
        { label: 'MessagePort', command: node('records', 'MessagePort') },
      ],
    },
  ],
  claims: [
    { theirs: 'MessagePort', faster: 2 },
    { theirs: 'process.send, advanced', faster: 8 },
  ].map(({ theirs, faster }) => ({
    claim: `a record one way, structured: at least ${faster} x the messages of ${theirs}`,
    operation: 'a record, structured',
    ours: 'ours',
    theirs,
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
        { label: 'Process, whose module imports the package', command: node('start', 'importing') },
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
      claim: 'start of a Process to its first message: at most 1.1 x fork',
      operation: 'a Node child',
      ours: 'Process',
      theirs: 'fork',
      limit: 1.1,
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

const pool: ComparisonProbe = {
  title: 'Pools (us)',
  comparisons: [
    {
      operation: 'an empty task',
      yardstick: 'workerpool, processes',
      ways: [
        { label: 'Pool', command: node('pool', 'ours', 'task') },
        { label: 'piscina, threads', command: node('pool', 'piscina', 'task'), package: 'piscina' },
        { label: 'workerpool, processes', command: node('pool', 'workerpool', 'task'), package: 'workerpool' },
      ],
    },
    ...[
      ['an empty task in Python', 'task'],
      ['100,000 tasks in Python, each', 'map'],
      ['1 MiB of floats to Python and back', 'array1'],
      ['8 MiB of floats to Python and back', 'array8'],
      ['64 MiB of floats to Python and back', 'array64'],
    ].map(([operation = '', mode = '']) => ({
      operation,
      yardstick: 'CPython',
      ways: [
        { label: 'PythonPool', command: node('pool', 'python', mode) },
        { label: 'CPython', command: python('cpython_pool.py', mode) },
      ],
    })),
    {
      operation: 'four new workers',
      yardstick: 'four of fork',
      ways: [
        { label: 'Pool', command: node('pool', 'ours', 'cold') },
        { label: 'four of fork', command: node('pool', 'fork', 'cold') },
      ],
    },
    {
      operation: 'four new workers in Python',
      yardstick: 'four bare imports',
      ways: [
        { label: 'PythonPool', command: node('pool', 'python', 'cold') },
        { label: 'four bare imports', command: node('pool', 'python-import', 'cold') },
      ],
    },
  ],
  claims: [
    ...[
      { theirs: 'workerpool, processes', limit: 0.5 },
      { theirs: 'piscina, threads', limit: 1.3 },
    ].map(({ theirs, limit }) => ({
      claim: `an empty task of a Pool: at most ${limit} x ${theirs}`,
      operation: 'an empty task',
      ours: 'Pool',
      theirs,
      limit,
    })),
    ...[
      { operation: 'an empty task in Python', faster: 1 },
      { operation: '100,000 tasks in Python, each', faster: 1.5 },
      { operation: '1 MiB of floats to Python and back', faster: 1.5 },
    ].map(({ operation, faster }) => ({
      claim: `PythonPool, ${operation}: at least ${faster} x as fast as CPython's Pool`,
      operation,
      ours: 'PythonPool',
      theirs: 'CPython',
      limit: 1 / faster,
    })),
    {
      claim: 'a Pool of four has run four tasks: at most 1.2 x four of fork',
      operation: 'four new workers',
      ours: 'Pool',
      theirs: 'four of fork',
      limit: 1.2,
    },
    {
      claim: 'a PythonPool of four has run four tasks: at most 1.1 x four bare imports',
      operation: 'four new workers in Python',
      ours: 'PythonPool',
      theirs: 'four bare imports',
      limit: 1.1,
    },
  ],
};

export const comparisonProbes = {
  locks,
  queues,
  records,
  pool,
  pickles,
  python: withPython,
  'shared-memory': sharedMemory,
  redis,
  managers,
  start,
} as const;

export type ComparisonId = keyof typeof comparisonProbes;

export const comparisonIds = Object.keys(comparisonProbes) as ComparisonId[];

/** A program of a pool makes and ends six pools of four workers. */
const EXTRA_SECONDS = 60;

/**
 * Runs every way once per repetition.
 *
 * @param skip Called once for each way that is not possible here.
 */
export async function compare(
  id: ComparisonId,
  { repetitions, warmUpMs, measuredMs }: Options,
  progress: (line: string) => void,
  skip: (line: string) => void,
): Promise<ComparisonResult> {
  const possible = comparisonProbes[id].comparisons.map((comparison) => {
    const ways = comparison.ways.filter((way) => {
      const reason = whatLacks(way);
      if (reason !== undefined) skip(`${comparison.operation}, ${way.label}: ${reason}`);
      return reason === undefined;
    });
    return { ...comparison, ways };
  });
  const results: Record<string, Record<string, number[]>> = {};
  for (let i = 0; i < repetitions; i++) {
    for (const { operation, ways } of possible) {
      progress(`${id} ${i + 1} of ${repetitions}: ${operation}`);
      const ofThis = (results[operation] ??= {});
      for (const { label, command } of ways) {
        const output = (await runForJson(
          [...command, String(warmUpMs), String(measuredMs)],
          EXTRA_SECONDS,
        )) as TrialOutput;
        (ofThis[label] ??= []).push(median(output.nsPerOperation));
      }
    }
  }
  return results;
}
