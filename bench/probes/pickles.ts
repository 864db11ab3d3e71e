// SPDX-License-Identifier: MIT
//
// Encodes a value and decodes it again: `pickles.js record|rows|bytes-1m pickle|v8 <warm-up ms> <measured ms>`.
import { deserialize, serialize } from 'node:v8';

import { pickle } from 'node-multiprocessing';

import { valueOf } from '../peers/values.js';
import { report, sample, timesFrom } from '../sampling.js';

const batches: Record<string, number> = { record: 2000, rows: 1, 'bytes-1m': 20 };

const [name = '', format, ...times] = process.argv.slice(2);
const value = valueOf(name);
// A channel of pickles does the same, with memory of its own. pickle.dumps() copies once more.
const codec = format === 'pickle' ? pickle.serializer() : { serialize, deserialize };

function run(count: number): void {
  for (let i = 0; i < count; i++) codec.deserialize(codec.serialize(value) as Buffer);
}

report(await sample(timesFrom(times[0], times[1]), batches[name] ?? 1, run));
