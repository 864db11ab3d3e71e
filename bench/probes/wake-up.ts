// SPDX-License-Identifier: MIT
//
// The cost to wake one pending receive while others stay pending: `wake-up.js <pending> same|rotating <measured ms>`.
//
// Both ends are in this process, so the figure contains no scheduling of another process: it is one send, one turn of
// the event loop and one receive. `rotating` wakes another connection each time, which adds the cost of touching memory
// that is not in the cache.
import * as mp from 'node-multiprocessing';

const [pendingText, order, measuredMs] = process.argv.slice(2);
const count = Number(pendingText);
const message = Buffer.alloc(64, 1);
const links = Array.from({ length: count }, () => {
  const [reader, writer] = mp.Pipe(false);
  return { reader, writer, pending: reader.recvBytes() };
});
const clock = process.hrtime.bigint;

async function wake(rounds: number): Promise<void> {
  for (let i = 0; i < rounds; i++) {
    // A step that shares no factor with the count visits every connection.
    const link = links[order === 'same' ? 0 : (i * 7919) % count];
    if (!link) throw new RangeError('no such connection');
    link.writer.sendBytesSync(message);
    await link.pending;
    link.pending = link.reader.recvBytes();
  }
}

const batch = 500;
const samples: number[] = [];
await wake(4 * batch);
for (const end = clock() + BigInt(measuredMs ?? 0) * 1_000_000n; samples.length < 3 || clock() < end;) {
  const start = clock();
  await wake(batch);
  samples.push(Number(clock() - start) / batch);
}
process.stdout.write(`${JSON.stringify({ nsPerOperation: samples })}\n`);

for (const { reader, writer } of links) {
  reader.close();
  writer.close();
}
await Promise.allSettled(links.map(({ pending }) => pending));
