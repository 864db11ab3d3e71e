// SPDX-License-Identifier: MIT
//
// The items of a Python generator as a stream of Node: `node main.mjs`. Python unpacks a file piece by piece, as fast as
// Node reads. First Node reads all of it through a hash, and then only until it has found a line.
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

import * as mp from 'node-multiprocessing';

const LINES = 200_000;
const PIECE = 65_536;

const folder = await mkdtemp(path.join(tmpdir(), 'stream-'));
const file = path.join(folder, 'lines.gz');
await writeFile(file, gzipSync(Array.from({ length: LINES }, (_, i) => `line ${i}\n`).join('')));

const pool = new mp.PythonPool({ target: 'lines:unpack', pythonPath: import.meta.dirname, processes: 1 });
pool.on('stdout', (line) => console.log(line));
try {
  const hash = createHash('sha256');
  await pipeline(Readable.from(pool.stream([file, PIECE])), hash);
  console.log(hash.digest('hex').slice(0, 16));

  const input = Readable.from(pool.stream([file, PIECE]));
  for await (const line of createInterface({ input })) {
    if (!line.endsWith('777')) continue;
    console.log(`found ${line}`);
    break;
  }
  // This closes the generator, and the worker is free for the next task. The end of the loop alone leaves `input` open.
  input.destroy();
} finally {
  await pool.close();
  await rm(folder, { recursive: true });
}
