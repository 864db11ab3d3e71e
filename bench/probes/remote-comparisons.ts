// SPDX-License-Identifier: MIT
import { node, type ComparisonProbe } from './comparison.js';

const jobs = 'a job added, done and marked as done';
const wake = 'an item for a get that waits';

export const redis: ComparisonProbe = {
  title: 'Over Redis (us)',
  comparisons: [
    {
      operation: jobs,
      yardstick: 'BullMQ',
      ways: [
        { label: 'RedisQueue', command: node('redis', 'queue') },
        { label: 'RedisJoinableQueue', command: node('redis', 'joinable') },
        { label: 'RedisJoinableQueue, batches', command: node('redis', 'batches') },
        { label: 'BullMQ, addBulk, 100 at a time', command: node('redis', 'bullmq-bulk'), package: 'bullmq' },
        { label: 'BullMQ', command: node('redis', 'bullmq'), package: 'bullmq' },
      ],
    },
    {
      operation: wake,
      yardstick: 'a round trip',
      ways: [
        { label: 'RedisQueue', command: node('redis', 'wake') },
        { label: 'a round trip', command: node('redis', 'ping') },
      ],
    },
  ].map((comparison) => ({
    ...comparison,
    ways: comparison.ways.map((way) => ({ ...way, program: 'redis-server' })),
  })),
  claims: [
    {
      claim: `${jobs}: at least as many as with BullMQ`,
      operation: jobs,
      // Either makes one round trip for each job, in which it marks the last one as done.
      ours: 'RedisQueue',
      theirs: 'BullMQ',
      limit: 1,
    },
    {
      claim: `${jobs}: in batches at least 5 x as many as with BullMQ`,
      operation: jobs,
      ours: 'RedisJoinableQueue, batches',
      theirs: 'BullMQ',
      limit: 1 / 5,
    },
    {
      claim: `${wake}: at most 2 x a round trip`,
      operation: wake,
      ours: 'RedisQueue',
      theirs: 'a round trip',
      limit: 2,
    },
  ],
};

const figures = [
  { clients: '1', what: 'time', operation: 'put and get, 1 client', faster: 1.3 },
  { clients: '100', what: 'time', operation: 'put and get, 100 clients', faster: 3 },
  { clients: '1', what: 'cpu', operation: 'CPU of the server, 1 client', faster: 4 },
  { clients: '100', what: 'cpu', operation: 'CPU of the server, 100 clients', faster: 4 },
];

export const managers: ComparisonProbe = {
  title: 'Managers, clients in Python (us)',
  comparisons: figures.map(({ clients, what, operation }) => ({
    operation,
    yardstick: 'CPython',
    ways: [
      { label: 'ManagerServer', command: node('managers', 'node', what, clients) },
      { label: 'CPython', command: node('managers', 'cpython', what, clients) },
    ],
  })),
  claims: figures.map(({ operation, faster }) => ({
    claim: `managers, ${operation}: at most 1 / ${faster} of CPython's`,
    operation,
    ours: 'ManagerServer',
    theirs: 'CPython',
    limit: 1 / faster,
  })),
};
