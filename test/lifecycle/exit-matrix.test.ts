// SPDX-License-Identifier: MIT
//
// The states that a Connection can be in, times the ways in which its process can end. The tests compare the exit code
// and signal, the output, and what the other end receives.
import { expect } from 'chai';

import { kinds, makePair, rejects, spawnPeer, type AnyConnection, type Kind, type Peer } from '../helpers/index.js';
import { expectNumbered } from './support/numbered-messages.js';
import { child, untilAsleep } from './support/programs.js';

const states = ['created', 'receiving', 'sending', 'closing'] as const;
type State = (typeof states)[number];
type Ending = 'natural' | 'exit' | 'throw' | 'SIGTERM' | 'terminate';

const SIZE = 1024 * 1024;

async function enter(kind: Kind, state: State, ending: Ending): Promise<{ peer: Peer; far: AnyConnection }> {
  const { reader, writer } = makePair(kind);
  const [theirs, far] = state === 'receiving' ? [reader, writer] : [writer, reader];
  const peer = spawnPeer(child('exit-matrix'), { fds: [theirs], args: [state, ending] });
  expect(await peer.line()).to.equal('ready');
  return { peer, far };
}

/** What the other end receives after the end of the process. */
async function expectEnd(far: AnyConnection, state: State, message: 'whole' | 'cut'): Promise<void> {
  if (state === 'receiving') {
    await rejects(far.sendBytes(Buffer.alloc(1)), { code: 'EPIPE' });
    return;
  }
  const sends = state !== 'created';
  if (sends && message === 'whole') expectNumbered(await far.recvBytes(), 0, SIZE);
  const code = sends && message === 'cut' ? 'ERR_MP_TRUNCATED' : 'ERR_MP_EOF';
  await rejects(far.recvBytes(), { code });
}

for (const kind of kinds) {
  for (const state of states) {
    describe(`A process whose Connection is ${state} (${kind})`, function () {
      const sends = state === 'sending' || state === 'closing';

      it('ends naturally', async function () {
        const { peer, far } = await enter(kind, state, 'natural');
        if (state === 'receiving') {
          await untilAsleep(peer.pid, 'event loop');
          await far.sendBytes(Buffer.from('x'));
          await peer.exit;
        }
        await expectEnd(far, state, 'whole');
        expect(await peer.exit).to.deep.equal({ code: 0, signal: null });
        expect(peer.stdout).to.equal(state === 'created' ? 'ready\n' : 'ready\nresolved\n');
      });

      it('ends by process.exit()', async function () {
        const { peer, far } = await enter(kind, state, 'exit');
        if (state === 'receiving') await peer.exit;
        await expectEnd(far, state, 'whole');
        expect(await peer.exit).to.deep.equal({ code: 0, signal: null });
      });

      it('ends by an uncaught error', async function () {
        const { peer, far } = await enter(kind, state, 'throw');
        if (state === 'receiving') await peer.exit;
        await expectEnd(far, state, 'whole');
        expect(await peer.exit).to.deep.equal({ code: 1, signal: null });
      });

      it('ends by SIGTERM', async function () {
        const { peer, far } = await enter(kind, state, 'SIGTERM');
        expect(await peer.exit).to.deep.equal({ code: null, signal: 'SIGTERM' });
        await expectEnd(far, state, 'cut');
      });

      it('ends naturally after worker.terminate()', async function () {
        const { peer, far } = await enter(kind, state, 'terminate');
        expect(await peer.exit, peer.stderr).to.deep.equal({ code: 0, signal: null });
        await expectEnd(far, state, 'cut');
      });

      if (state === 'created') return;

      it('goes on after a SIGKILL of its peer', async function () {
        const { reader, writer } = makePair(kind);
        const [theirs, far] = state === 'receiving' ? [reader, writer] : [writer, reader];
        // Only the peer has the other end, and does nothing with it.
        const holder = spawnPeer({ language: 'c', label: 'sleep', command: 'sleep', args: ['3600'] }, { fds: [far] });
        const peer = spawnPeer(child('exit-matrix'), { fds: [theirs], args: [state, 'natural'] });
        expect(await peer.line()).to.equal('ready');
        await untilAsleep(peer.pid, 'event loop');
        holder.kill('SIGKILL');
        expect(await peer.exit).to.deep.equal({ code: 0, signal: null });
        const [, result] = peer.stdout.trim().split('\n');
        if (sends) expect(result).to.be.oneOf(['rejected EPIPE', 'rejected ECONNRESET']);
        else expect(result).to.equal('rejected ERR_MP_EOF');
      });
    });
  }
}
