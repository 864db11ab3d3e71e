// SPDX-License-Identifier: MIT
//
// An event loop that looks for messages before it sleeps treats everything else as it would without spinning.
import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';

import { expect } from 'chai';

import { fewPeers, kinds, makePair, spawnPeer, startTalk, within } from '../helpers/index.js';
import { child, untilAsleep } from './support/programs.js';

/** Long enough to hold everything else up, if spinning did so. */
const options = { asyncSpinMicros: 1e6 };

for (const kind of kinds) {
  describe(`asyncSpinMicros (${kind})`, function () {
    for (const language of fewPeers()) {
      it(`carries 500 round trips (${language.label})`, async function () {
        const { peer, reader, writer } = startTalk(language, kind, 'echo', { asyncSpinMicros: 200 });
        for (let i = 0; i < 500; i++) {
          const message = Buffer.from(`message ${i}`);
          await writer.sendBytes(message);
          expect((await reader.recvBytes()).equals(message)).to.equal(true);
        }
        writer.close();
        reader.close();
        await peer.succeeded();
      });
    }

    it('lets timers and other descriptors have their turn', async function () {
      const { reader, writer } = makePair(kind, options);
      const other = makePair(kind);
      const received = reader.recv();
      const otherReceived = other.reader.recv();
      for (let i = 0; i < 200; i++) await new Promise((resolve) => setTimeout(resolve, 1));
      await other.writer.send('other');
      expect(await otherReceived).to.equal('other');
      await writer.send('this');
      expect(await received).to.equal('this');
    });

    it('stops looking once something else is ready', async function () {
      const { reader, writer } = makePair(kind, options);
      const received = reader.recv();
      const order: string[] = [];
      // The loop does not look for longer than until the next timer.
      const timer = new Promise<void>((resolve) => setTimeout(resolve, 900)).then(() => order.push('timer'));
      await stat('.').then(() => order.push('file'));
      await timer;
      expect(order).to.deep.equal(['file', 'timer']);
      await writer.send('this');
      expect(await received).to.equal('this');
    });

    it('sleeps when no message comes', async function () {
      const { reader, writer } = makePair(kind);
      const peer = spawnPeer(child('async-spin'), { fds: [kind === 'pipe' ? reader : writer] });
      expect(await peer.line()).to.equal('receiving');
      await within(30_000, untilAsleep(peer.pid, 'event loop'), 'the sleep');
      (kind === 'pipe' ? writer : reader).close();
      await peer.succeeded();
      expect(peer.stdout).to.equal('receiving\nend\nnatural end\n');
    });
  });
}

describe('asyncSpinMicros', function () {
  it('ends with the last Connection that asked for it', async function () {
    const [first, second] = [makePair('pipe', options), makePair('pipe', { asyncSpinMicros: 10 })];
    first.reader.close();
    first.writer.close();
    const received = second.reader.recv();
    await second.writer.send(1);
    expect(await received).to.equal(1);
    second.reader.close();
    second.writer.close();
  });

  it('does not keep a worker from being terminated', async function () {
    const worker = new Worker(new URL('./children/async-spin-worker.js', import.meta.url));
    await new Promise((resolve) => worker.once('message', resolve));
    expect(await worker.terminate()).to.equal(1);
  });
});
