// SPDX-License-Identifier: MIT
//
// What large messages take from the system stays bounded, and goes back.
import { expect } from 'chai';
import { attach, describe as describeObject, Pipe, Queue } from 'node-multiprocessing';

import { spawnPeer, track, turns, within } from '../helpers/index.js';
import { child, report } from './support/programs.js';

const MIB = 1024 * 1024;

describe('Large messages', function () {
  for (const [label, env] of [
    ['memory is kept', {}],
    ['memory is not kept', { NODE_MULTIPROCESSING_KEEP_MEMORY: '0' }],
    ['the user has set a threshold', { MALLOC_TRIM_THRESHOLD_: '131072' }],
  ] as const) {
    it(`need no more memory the longer they come (${label})`, async function () {
      const peer = spawnPeer(child('large-memory'), { env });
      const { early, late } = await within(60_000, report(peer), 'the figures');
      await peer.succeeded();
      expect(late - early).to.be.below(96 * MIB);
    });
  }

  it('make the buffer of a Pipe() grow, which shrinks when there are none any more', async function () {
    const [reader, writer] = Pipe<Buffer>(false);
    track(reader);
    track(writer);
    // So long a message fits into an enlarged buffer only.
    const long = Buffer.alloc(900_000);
    await within(30_000, writer.sendBytes(long), 'the long message');
    expect(await reader.recvBytes()).to.have.length(long.length);
    // Two of these fit if the buffer is large, and one otherwise.
    const probe = Buffer.alloc(60_000);
    const hasShrunk = async (): Promise<boolean> => {
      let fits = false;
      const sent = [writer.sendBytes(probe), writer.sendBytes(probe).then(() => (fits = true))];
      await turns();
      const shrunk = !fits;
      for (let i = 0; i < 2; i++) await reader.recvBytes();
      await Promise.all(sent);
      return shrunk;
    };
    expect(await hasShrunk()).to.equal(false);
    const until = async (): Promise<void> => {
      while (!(await hasShrunk())) await new Promise((resolve) => setTimeout(resolve, 50));
    };
    await within(40_000, until(), 'the smaller buffer');
  });

  // Each item was copied into fresh memory, with a page fault for every 4096 bytes.
  it('use the memory of earlier ones again when they are put on a queue', async function () {
    // An instrumented addon keeps freed memory on purpose.
    if (process.env['NODE_MULTIPROCESSING_SANITIZER'] !== undefined) return this.skip();
    const peer = spawnPeer(child('large-puts'));
    const faults = await within(60_000, report(peer), 'the figure');
    await peer.succeeded();
    expect(faults).to.be.below(64);
  });

  it('make the pipe of a queue grow', async function () {
    const queue = new Queue<Buffer>();
    const other = attach(describeObject(queue)) as Queue<Buffer>;
    // So long an item fits into an enlarged pipe only.
    const long = Buffer.alloc(900_000);
    await queue.put(long);
    queue.close();
    const written = within(30_000, queue.joinThread(), 'the long item, which is not got yet');
    await written.finally(async () => {
      expect(await other.get()).to.have.length(long.length);
      other.close();
    });
  });
});
