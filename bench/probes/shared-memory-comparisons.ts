// SPDX-License-Identifier: MIT
import { node, python, type ComparisonProbe } from './comparison.js';

const ways = {
  toNumpy: '8 MiB to numpy, summed there, answered',
  pieces: '8 MiB of 1 GiB, copied and passed to numpy',
  increment: 'one more in a Value, under its lock',
  block: 'memory for 8 MiB, and given back',
};

export const sharedMemory: ComparisonProbe = {
  title: 'Shared memory (us)',
  comparisons: [
    {
      operation: ways.toNumpy,
      yardstick: 'a sum and a copy',
      ways: [
        { label: 'a shared array', command: node('shared-memory', 'to-numpy') },
        { label: 'a sum and a copy', command: python('cpython_shared.py', 'sum-and-copy') },
        { label: 'Python and Python, by a pipe', command: python('cpython_shared.py', 'pipe') },
      ],
    },
    {
      operation: ways.pieces,
      yardstick: 'the copy',
      ways: [
        { label: 'shared arrays', command: node('shared-memory', 'pieces') },
        { label: 'the copy', command: node('shared-memory', 'copy') },
      ],
    },
    {
      operation: ways.increment,
      yardstick: 'CPython',
      ways: [
        { label: 'Value', command: node('shared-memory', 'increment') },
        { label: 'CPython', command: python('cpython_shared.py', 'increment') },
      ],
    },
    {
      operation: ways.block,
      yardstick: "CPython's SharedMemory",
      ways: [
        { label: 'sharedArray', command: node('shared-memory', 'block') },
        { label: "CPython's SharedMemory", command: python('cpython_shared.py', 'block') },
      ],
    },
  ],
  claims: [
    {
      claim: `${ways.toNumpy}: at most 1.5 x a sum and a copy`,
      operation: ways.toNumpy,
      ours: 'a shared array',
      theirs: 'a sum and a copy',
      limit: 1.5,
    },
    {
      claim: `${ways.toNumpy}: at least 10 x as fast as two Python processes with a pipe`,
      operation: ways.toNumpy,
      ours: 'a shared array',
      theirs: 'Python and Python, by a pipe',
      limit: 1 / 10,
    },
    {
      // 4 GB/s would be enough where memory is faster.
      claim: `${ways.pieces}: at least 0.7 x the rate of the copy`,
      operation: ways.pieces,
      ours: 'shared arrays',
      theirs: 'the copy',
      limit: 1 / 0.7,
    },
    {
      claim: `${ways.increment}: at most 2 x CPython's`,
      operation: ways.increment,
      ours: 'Value',
      theirs: 'CPython',
      limit: 2,
    },
    {
      claim: `${ways.block}: below 5 us`,
      operation: ways.block,
      ours: 'sharedArray',
      theirs: "CPython's SharedMemory",
      limit: 0,
      extraNs: 5000,
    },
  ],
};
