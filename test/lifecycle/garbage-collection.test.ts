// SPDX-License-Identifier: MIT
//
// Garbage collection closes Connections. The tests run in children, which can call the collector.
import { expect } from 'chai';

import { kinds, makePair, rejects, spawnPeer } from '../helpers/index.js';
import { expectNumbered } from './support/numbered-messages.js';
import { child, report } from './support/programs.js';

describe('A Connection that is collected', function () {
  const program = child('collected', ['--expose-gc']);

  async function run(name: string): Promise<unknown> {
    const peer = spawnPeer(program, { args: [name] });
    const result: unknown = await report(peer);
    expect(await peer.exit, peer.stderr).to.deep.equal({ code: 0, signal: null });
    return result;
  }

  it('is closed, and the other end sees it', async function () {
    expect(await run('closes')).to.deep.equal(['ERR_MP_EOF', 'ERR_MP_EOF', 'EPIPE']);
  });

  it('leaves nothing behind, a thousand times', async function () {
    expect(await run('many')).to.equal('closed');
  });

  for (const kind of kinds) {
    it(`still writes what was sent (${kind})`, async function () {
      const { reader, writer } = makePair(kind);
      const peer = spawnPeer(program, { fds: [writer], args: ['writes'] });
      expect(await report(peer)).to.equal('dropped');
      for (let i = 0; i < 64; i++) expectNumbered(await reader.recvBytes(), i, 16384);
      await rejects(reader.recvBytes(), { code: 'ERR_MP_EOF' });
      expect(await peer.exit, peer.stderr).to.deep.equal({ code: 0, signal: null });
    });
  }

  it('is kept by a pending call', async function () {
    expect(await run('pending')).to.deep.equal(['a value', true, 1, 'a value', true]);
  });

  it('is not kept by a receive that timed out or was aborted', async function () {
    expect(await run('timedOut')).to.equal('ERR_MP_EOF');
  });

  // Regression: the listener of the signal kept the first call, with the message that it had received.
  it('is not kept by a signal, nor are its messages', async function () {
    expect(await run('signal')).to.deep.equal([false, true]);
  });

  it('does not close the descriptor while a dup() uses it', async function () {
    expect(await run('dup')).to.equal('still open');
  });

  it('does not release its descriptor again after close()', async function () {
    expect(await run('closedBefore')).to.equal(50);
  });
});
