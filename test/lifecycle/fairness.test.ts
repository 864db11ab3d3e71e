// SPDX-License-Identifier: MIT
//
// However busy a Connection is, the event loop keeps turning: other timers and other I/O run.
import { expect } from 'chai';

import { kinds, makePair, spawnPeer, timersDuring, within, type Kind } from '../helpers/index.js';
import { child, report, type Report } from './support/programs.js';

/** Runs a case of the child `fair` against a peer that writes, or reads, as fast as it can. */
async function run(kind: Kind, name: string, way: 'write' | 'read', size: number): Promise<Report> {
  const { reader, writer } = makePair(kind);
  const [near, far] = way === 'write' ? [reader, writer] : [writer, reader];
  const peer = spawnPeer(child('fair'), { fds: [near], args: [name] });
  const flood = spawnPeer(child('flood'), { fds: [far], args: [way, String(size)] });
  // A starved loop never prints; the hook after the test then ends both processes. A busy machine needs seconds for the
  // thousand switches between the processes that 64 MiB take.
  const result = await within(50_000, report(peer), 'the result');
  await peer.succeeded();
  await flood.succeeded();
  return result;
}

/**
 * The most that may be moved in one turn of the event loop: two chunks may meet in one turn, and both may end at the
 * end of a message.
 */
const MIB = 1024 * 1024;
const CHUNK = 3 * MIB;

for (const kind of kinds) {
  describe(`The event loop beside a busy Connection (${kind})`, function () {
    for (const name of ['recv', 'iterate', 'poll', 'wait', 'recv with a timeout of 0']) {
      it(`runs timers during an endless loop of ${name} on a full pipe`, async function () {
        expect((await run(kind, name, 'write', 100)).timers).to.be.at.least(50);
      });
    }

    it('runs timers during an endless loop of send to a fast reader', async function () {
      expect((await run(kind, 'send', 'read', 100)).timers).to.be.at.least(50);
    });

    it('turns at least once for each chunk of a received message of 64 MiB', async function () {
      expect((await run(kind, 'large recv', 'write', 64 * MIB)).turns).to.be.at.least((64 * MIB) / CHUNK);
    });

    it('turns at least once for each chunk of a sent message of 64 MiB', async function () {
      expect((await run(kind, 'large send', 'read', 0)).turns).to.be.at.least((64 * MIB) / CHUNK);
    });

    // Regression: with a reader that was fast enough, the whole queue was written within one turn of the event loop.
    for (const name of ['many sends', 'many small sends']) {
      it(`turns at least once for each chunk of ${name}, 16 MiB in all`, async function () {
        const { turns, most } = await run(kind, name, 'read', 0);
        expect(turns).to.be.at.least((16 * MIB) / CHUNK);
        expect(most).to.be.at.most(CHUNK);
      });
    }

    it('turns while it serves many receives', async function () {
      // They take much longer than one share of a turn.
      const { turns } = await run(kind, 'many receives', 'write', 1024);
      expect(turns).to.be.at.least(4);
    });
  });
}

describe('The event loop beside awaits that never have to wait', function () {
  for (const kind of kinds) {
    it(`runs timers during sends whose messages are taken at once (${kind})`, async function () {
      const { reader, writer } = makePair(kind);
      const step = async (): Promise<void> => {
        await writer.send(1);
        reader.tryRecv();
      };
      expect(await timersDuring(step)).to.be.at.least(20);
    });
  }
});
