// SPDX-License-Identifier: MIT
//
// large-memory: sends itself messages of mixed sizes, three quarters of a GiB in all, and prints how much memory the process had after the first
// third of them and at the end, in bytes.
import { Pipe } from 'node-multiprocessing';

const SIZES = [60_000, 65_536, 200_000, 1_048_576, 5_000_000];
const ROUNDS = 120;

const [reader, writer] = Pipe(false);
const target = Buffer.alloc(Math.max(...SIZES));
const message = Buffer.alloc(target.length, 7);
let early = 0;
for (let round = 0; round < ROUNDS; round++) {
  for (const size of SIZES) {
    const sent = writer.sendBytes(message, 0, size);
    if (round % 4 === 0) await reader.recvBytesInto(target);
    else if ((await reader.recvBytes())[size - 1] !== 7) throw new Error('The message is not what was sent');
    await sent;
  }
  if (round === ROUNDS / 3) early = process.memoryUsage.rss();
}
process.stdout.write(`${JSON.stringify({ early, late: process.memoryUsage.rss() })}\n`);
reader.close();
writer.close();
