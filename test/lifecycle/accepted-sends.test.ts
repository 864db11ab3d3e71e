// SPDX-License-Identifier: MIT
//
// Messages that were accepted reach another process, whatever keeps the thread that has sent them from its event loop.
import { expect } from 'chai';

import { kinds, makePair, rejects, spawnPeer, within, type Kind } from '../helpers/index.js';
import { child } from './support/programs.js';

async function expectMessages(kind: Kind, args: string[], counts: number[], size: number): Promise<void> {
  const { reader, writer } = makePair(kind);
  const peer = spawnPeer(child('accepted-sends'), { fds: [writer], args });
  if (args[0]?.startsWith('terminate')) expect(await peer.line()).to.equal('terminated');
  for (const count of counts) {
    for (let i = 0; i < count; i++) {
      const message = await within(30_000, reader.recvBytes(), `message ${i}`);
      expect(message.equals(Buffer.alloc(size, i))).to.be.true;
    }
  }
  peer.kill();
  await peer.exit;
}

for (const kind of kinds) {
  describe(`Messages that were accepted (${kind})`, function () {
    this.timeout(60_000);

    for (const what of ['atomics', 'command', 'computation', 'sync']) {
      it(`arrive while the thread is blocked: ${what}`, () => expectMessages(kind, [what], [5], 100));
    }

    it('arrive while the thread is blocked, when there was no room before', () =>
      expectMessages(kind, ['full'], [8], 100_000));

    it('arrive while the thread goes on sending between long computations', () =>
      expectMessages(kind, ['late'], [5, 3, 3], 100));

    for (const mode of ['accepted', 'written']) {
      it(`arrive when their worker is terminated (${mode})`, () => expectMessages(kind, ['terminate', mode], [5], 100));
    }

    it('arrive after the end of their worker, when there was no room before', () =>
      expectMessages(kind, ['terminate-full'], [8], 100_000));

    // Regression: the end of the process ended the thread that wrote them, without a word.
    for (const what of ['terminate-end', 'exit-above']) {
      it(`arrive although the process ends with their worker: ${what}`, () =>
        expectMessages(kind, [what], [8], 100_000));
    }

    it('do not keep the process for longer than exitFlushMs after the end of their worker', async () => {
      const { reader, writer } = makePair(kind);
      const peer = spawnPeer(child('accepted-sends'), { fds: [writer], args: ['exit-unread'] });
      expect((await within(30_000, peer.exit, 'the end')).code).to.equal(0);
      reader.close();
    });

    it('arrive after process.exit()', () => expectMessages(kind, ['exit'], [5], 100));

    it('are counted in one warning if they are lost and no call is told', async () => {
      const { reader, writer } = makePair(kind);
      const peer = spawnPeer(child('accepted-sends'), { fds: [writer], args: ['lost'] });
      expect(await peer.line()).to.equal('sent');
      await within(30_000, reader.recvBytes(), 'first message');
      reader.close();
      peer.tell('end');
      expect((await peer.exit).code).to.equal(0);
      expect(peer.stderr).to.match(/^\(node:\d+\) MessagesLost: [1-9] message\(s\) .*EPIPE.*\n$/);
    });
  });
}

describe('A terminated worker', () => {
  it('leaves no descriptor open once its messages are written', async () => {
    const { reader, writer } = makePair('socketpair');
    const peer = spawnPeer(child('accepted-sends'), { fds: [writer], args: ['terminate-full'] });
    expect(await peer.line()).to.equal('terminated');
    for (let i = 0; i < 8; i++) await within(30_000, reader.recvBytes(), `message ${i}`);
    await rejects(within(30_000, reader.recvBytes(), 'end of data'), { code: 'ERR_MP_EOF' });
    await peer.release();
    await peer.succeeded();
  });
});
