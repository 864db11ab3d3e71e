// SPDX-License-Identifier: MIT
//
// Messages of sends that were not awaited are still written when the process ends, however it ends by itself.
import { expect } from 'chai';

import { kinds, makePair, rejects, spawnPeer, track, within } from '../helpers/index.js';
import { Pipe } from 'node-multiprocessing';
import { expectNothingMissing, shapes } from './support/exit-flush.js';
import { expectNumbered } from './support/numbered-messages.js';
import { child, untilAsleep } from './support/programs.js';

const WARNING = /^\(node:\d+\) Warning: \d+ bytes sent on 1 connection\(s\) were not read within 200 ms .*$/m;

for (const kind of kinds) {
  describe(`Sends that were not awaited at the end of the process (${kind})`, function () {
    this.timeout(120_000);

    it('are all written by process.exit(), 20 times', async function () {
      for (let i = 0; i < 20; i++) {
        expect(await expectNothingMissing(kind, 'exit', shapes[i % shapes.length]!)).to.equal(0);
      }
    });

    for (const shape of shapes) {
      it(`are all written after an uncaught error: ${shape.count} of ${shape.size} bytes`, async function () {
        expect(await expectNothingMissing(kind, 'throw', shape)).to.equal(1);
      });

      it(`are all written at a natural end: ${shape.count} of ${shape.size} bytes`, async function () {
        expect(await expectNothingMissing(kind, 'natural', shape)).to.equal(0);
      });
    }

    for (const ending of ['exit', 'throw', 'natural'] as const) {
      it(`are all written at the end of a worker (${ending})`, async function () {
        expect(await expectNothingMissing(kind, ending, { count: 64, size: 16 * 1024 }, true)).to.equal(0);
      });
    }

    for (const [ending, exitCode] of [
      ['exit', 0],
      ['throw', 1],
    ] as const) {
      it(`delay ${ending} for exitFlushMs if the peer does not read, with one warning`, async function () {
        const { reader, writer } = makePair(kind);
        const peer = spawnPeer(child('send-and-end'), { fds: [writer], args: [ending, '64', '16384', '200'] });
        expect(await peer.exit).to.deep.equal({ code: exitCode, signal: null });
        expect(Number(peer.stdout)).to.be.at.least(200);
        expect(peer.stderr.split('are lost')).to.have.length(2);
        expect(peer.stderr).to.match(WARNING);
        // The messages that had room are intact. The stream then ends between or inside messages.
        let received = 0;
        const drained = (async () => {
          for (; ; received++) expectNumbered(await reader.recvBytes(), received, 16384);
        })();
        const error = await drained.catch((reason: unknown) => reason);
        expect(error).to.have.property('code').that.is.oneOf(['ERR_MP_EOF', 'ERR_MP_TRUNCATED']);
        expect(received).to.be.within(1, 63);
      });
    }
  });
}

describe('The end of the process', function () {
  // Regression: the wait for peers ended with the first signal that JavaScript listened for, and what they had not read
  // by then was lost: "TruncatedMessageError: The connection ended after 2448 of 16384 bytes of a message".
  it('goes on writing when a signal with a listener arrives meanwhile', async function () {
    const { reader, writer } = makePair('socketpair');
    const peer = spawnPeer(child('exit-variants'), { fds: [writer], args: ['listening'] });
    expect(await peer.line()).to.equal('ending');
    await untilAsleep(peer.pid, 'sync call');
    for (let i = 0; i < 3; i++) {
      peer.kill('SIGUSR2');
      await untilAsleep(peer.pid, 'sync call');
    }
    for (let i = 0; i < 64; i++) expectNumbered(await reader.recvBytes(), i, 16384);
    await rejects(reader.recvBytes(), { code: 'ERR_MP_EOF' });
    expect(await peer.exit).to.deep.equal({ code: 0, signal: null });
    expect(peer.stderr).to.equal('');
  });

  it('writes to the peers that read although one peer does not', async function () {
    const stuck = makePair('pipe');
    const ends = Array.from({ length: 4 }, () => makePair('pipe'));
    const fds = [stuck.writer, ...ends.map(({ writer }) => writer)];
    const peer = spawnPeer(child('exit-variants'), { fds, args: ['several'] });
    for (const { reader } of ends) {
      for (let i = 0; i < 64; i++) expectNumbered(await reader.recvBytes(), i, 16384);
    }
    expect(await peer.exit).to.deep.equal({ code: 0, signal: null });
    expect(peer.stderr.split('are lost')).to.have.length(2);
    for (const { reader } of ends) await rejects(reader.recvBytes(), { code: 'ERR_MP_EOF' });
  });

  // Regression: in an exit handler the second message waited for the end of the tick, which does not come any more.
  for (const ending of ['exit', 'natural', 'throw']) {
    it(`writes what exit handlers of the program send (${ending})`, async function () {
      const [reader, writer] = Pipe(false);
      track(reader);
      const peer = spawnPeer(child('exit-variants'), { fds: [writer], args: ['handlers', ending] });
      const received: number[] = [];
      const take = async (): Promise<void> => {
        received.push(((await reader.recv()) as { n: number }).n);
      };
      for (let i = 0; i < 3; i++) await take();
      // The last three do not fit the pipe: either the process waits until they are read, or it has ended.
      await Promise.race([peer.exit, untilAsleep(peer.pid, 'sync call').catch(() => undefined)]);
      for (let i = 0; i < 3; i++) await within(30_000, take(), 'the next message');
      expect(received).to.deep.equal([1, 2, 3, 4, 5, 6]);
      expect((await peer.exit).signal).to.equal(null);
    });
  }

  it('does not wait for a Connection that was closed with discard', async function () {
    const { writer } = makePair('pipe');
    const peer = spawnPeer(child('exit-variants'), { fds: [writer], args: ['discarded'] });
    expect(await peer.exit).to.deep.equal({ code: 0, signal: null });
    expect(peer.stderr).to.equal('');
  });
});
