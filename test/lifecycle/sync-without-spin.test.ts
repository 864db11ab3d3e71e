// SPDX-License-Identifier: MIT
//
// A Sync call that nothing could end waits in read() and write() themselves; a Sync call that a signal must end waits
// in ppoll().
import { expect } from 'chai';

import { kinds, makeConversation, pattern, spawnPeer } from '../helpers/index.js';
import { child, untilAsleep } from './support/programs.js';

const SIZES = [0, 1, 64, 16384, 16385, 65536, 1024 * 1024];

for (const kind of kinds) {
  for (const how of ['plain', 'listens'] as const) {
    describe(`A Sync receive that does not spin (${kind}, ${how})`, function () {
      it(`sleeps in ${how === 'plain' ? 'read' : 'ppoll'}, wakes for every message, and sees the end`, async function () {
        const { reader, writer, theirs } = makeConversation(kind);
        const peer = spawnPeer(child('sync-without-spin'), {
          fds: theirs,
          args: [theirs.length === 1 ? 'duplex' : 'pipes', how],
        });
        expect(await peer.line()).to.equal('ready');
        for (const [seed, size] of SIZES.entries()) {
          await untilAsleep(peer.pid, how === 'plain' ? 'sync read' : 'sync poll');
          const message = pattern(size, seed);
          const echoed = reader.recvBytes();
          await writer.sendBytes(message);
          expect((await echoed).equals(message)).to.equal(true);
        }
        await untilAsleep(peer.pid, how === 'plain' ? 'sync read' : 'sync poll');
        if (how === 'listens') {
          peer.kill('SIGUSR2');
          expect(await peer.line()).to.equal('interrupted');
        }
        writer.close();
        reader.close();
        expect(await peer.line()).to.equal(`end ${how === 'listens' ? 1 : 0}`);
        await peer.succeeded();
      });
    });
  }
}
