// SPDX-License-Identifier: MIT
//
// A Sync call that waits also writes what was sent before on any connection. Otherwise two processes could each wait
// for a message that the other has accepted but not written.
import { expect } from 'chai';

import { kinds, makePair, spawnPeer, within, type AnyConnection } from '../helpers/index.js';
import { expectNumbered } from './support/numbered-messages.js';
import { child, report } from './support/programs.js';

const COUNT = 64;
const SIZE = 16384;

async function expectAll(reader: AnyConnection): Promise<void> {
  for (let i = 0; i < COUNT; i++) expectNumbered(await reader.recvBytes(), i, SIZE);
}

for (const kind of kinds) {
  describe(`Unwritten messages on another connection (${kind})`, function () {
    for (const call of ['recvBytesSync', 'pollSync', 'waitSync']) {
      it(`are written while ${call} waits`, async function () {
        const other = makePair(kind);
        const own = makePair(kind);
        const peer = spawnPeer(child('sync-progress'), { fds: [other.writer, own.reader], args: [call] });
        await within(20_000, expectAll(other.reader), 'what was sent before the call');
        await own.writer.sendBytes(Buffer.from('go on'));
        expect(await report(peer)).to.equal('done');
        await peer.succeeded();
      });
    }

    // Regression: a Sync send waited for room on its own descriptor only. The peer reads the other connection first.
    it('are written while sendBytesSync waits', async function () {
      const other = makePair(kind);
      const own = makePair(kind);
      const peer = spawnPeer(child('sync-progress'), { fds: [other.writer, own.writer], args: ['sendBytesSync'] });
      await within(20_000, expectAll(other.reader), 'what was sent before the call');
      await within(20_000, expectAll(own.reader), 'what was sent by the call');
      expect(await report(peer)).to.equal('done');
      await peer.succeeded();
    });

    it('do not keep a second Sync call from its own data', async function () {
      const other = makePair(kind);
      const own = makePair(kind);
      await own.writer.sendBytes(Buffer.from('is there'));
      // The peer does not read the first connection, and the receive succeeds all the same.
      const peer = spawnPeer(child('sync-progress'), { fds: [other.writer, own.reader], args: ['recvBytesSync'] });
      expect(await within(20_000, report(peer), 'the receive')).to.equal('done');
      await expectAll(other.reader);
      await peer.succeeded();
    });
  });
}

describe('send(); send(); recvSync()', function () {
  it('does not deadlock with a peer that does the same', async function () {
    const { reader, writer } = makePair('socketpair');
    const first = spawnPeer(child('sync-progress'), { fds: [reader], args: ['exchange'] });
    const second = spawnPeer(child('sync-progress'), { fds: [writer], args: ['exchange'] });
    expect(await within(20_000, report(first), 'the first')).to.equal('done');
    expect(await within(20_000, report(second), 'the second')).to.equal('done');
    await first.succeeded();
    await second.succeeded();
  });
});
