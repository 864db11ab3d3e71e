// SPDX-License-Identifier: MIT
//
// Which children end with their parent, and which live on. The parent is a process of the test. Its child has one end
// of a connection, and the end of data there shows that the child has ended.
import { expect } from 'chai';

import { makePair, rejects, spawnPeer, type AnyConnection, type Exit, type Peer } from '../helpers/index.js';
import { child as program } from './support/programs.js';

/** How long a daemon may go on after a SIGTERM, as docs/processes.md says. */
const GRACE_MS = 2000;

/** Starts a parent with one child, and waits until the child runs. */
async function family(
  ending: string,
  kind: 'daemon' | 'child',
  target: string,
): Promise<{ peer: Peer; connection: AnyConnection }> {
  const { reader, writer } = makePair('socketpair');
  const peer = spawnPeer(program('process-parent'), { fds: [writer], args: [ending, kind, target] });
  expect(await reader.recv()).to.equal('running');
  return { peer, connection: reader };
}

const endings: readonly [ending: string, exit: Exit][] = [
  ['return', { code: 0, signal: null }],
  ['exit', { code: 3, signal: null }],
  ['throw', { code: 1, signal: null }],
  ['SIGTERM', { code: null, signal: 'SIGTERM' }],
  ['SIGKILL', { code: null, signal: 'SIGKILL' }],
];

async function end(peer: Peer, ending: string): Promise<Exit> {
  if (ending.startsWith('SIG')) peer.kill(ending as NodeJS.Signals);
  else peer.tell('end');
  return peer.exit;
}

describe('A daemonic child', () => {
  for (const [ending, exit] of endings) {
    for (const target of ['forever', 'spin', 'block']) {
      it(`ends when its parent ends by ${ending} while it ${target === 'forever' ? 'waits' : `is busy (${target})`}`, async () => {
        const { peer, connection } = await family(ending, 'daemon', target);
        expect(await end(peer, ending), peer.stderr).to.deep.equal(exit);
        await rejects(connection.recv(), { code: 'ERR_MP_EOF' });
      });
    }
  }

  it('is killed if it ignores SIGTERM', async () => {
    const { peer, connection } = await family('SIGKILL', 'daemon', 'ignoreTerm');
    await end(peer, 'SIGKILL');
    await rejects(connection.recv(), { code: 'ERR_MP_EOF' });
  });

  // Regression: the parent waited for one after the other, each for the whole time.
  it('that ignores SIGTERM is killed together with others that do', async () => {
    const pairs = [makePair('socketpair'), makePair('socketpair'), makePair('socketpair')];
    const peer = spawnPeer(program('several-daemons'), { fds: pairs.map(({ writer }) => writer) });
    for (const { reader } of pairs) expect(await reader.recv()).to.equal('running');
    peer.tell('end');
    const ends = await Promise.all(
      pairs.map(async ({ reader }) => {
        await rejects(reader.recv(), { code: 'ERR_MP_EOF' });
        return performance.now();
      }),
    );
    expect(await peer.exit, peer.stderr).to.deep.equal({ code: 0, signal: null });
    // Of three that are killed one after the other, the last would live for twice this time longer than the first.
    expect(Math.max(...ends) - Math.min(...ends)).to.be.below(GRACE_MS);
  });

  it('of a worker thread ends with the process, not with the worker', async () => {
    for (const ending of ['worker-terminate', 'worker-exit']) {
      const { peer, connection } = await family(ending, 'daemon', 'untilTwice');
      peer.tell('end the worker');
      expect(await peer.line()).to.equal('worker ended');
      await connection.send('ping');
      expect(await connection.recv()).to.equal('pong');
      peer.tell('end');
      expect(await peer.exit, peer.stderr).to.deep.equal({ code: 0, signal: null });
      await rejects(connection.recv(), { code: 'ERR_MP_EOF' });
    }
  });
});

describe('A child that is no daemon', () => {
  it('delays the natural end of its parent', async () => {
    const { peer, connection } = await family('return', 'child', 'untilTwice');
    peer.tell('end');
    expect(await peer.line()).to.equal('last line of the parent');
    expect(peer.ended).to.equal(false);
    await connection.send('ping');
    expect(await connection.recv()).to.equal('pong');
    expect(peer.ended).to.equal(false);
    await connection.send('end');
    await rejects(connection.recv(), { code: 'ERR_MP_EOF' });
    expect(await peer.exit, peer.stderr).to.deep.equal({ code: 0, signal: null });
  });

  for (const [ending, exit] of endings.slice(1)) {
    it(`lives on after ${ending}`, async () => {
      const { peer, connection } = await family(ending, 'child', 'untilTwice');
      expect(await end(peer, ending), peer.stderr).to.deep.equal(exit);
      await connection.send('ping');
      expect(await connection.recv()).to.equal('pong');
      await connection.send('end');
      await rejects(connection.recv(), { code: 'ERR_MP_EOF' });
    });
  }

  it('of a worker thread lives on when the worker ends, and leaves no zombie at its own end', async () => {
    const { peer, connection } = await family('worker-terminate', 'child', 'untilTwice');
    peer.tell('end the worker');
    expect(await peer.line()).to.equal('worker ended');
    await connection.send('ping');
    expect(await connection.recv()).to.equal('pong');
    await connection.send('end');
    await rejects(connection.recv(), { code: 'ERR_MP_EOF' });
    peer.tell('children');
    expect(await peer.line()).to.equal('no children');
    peer.tell('end');
    expect(await peer.exit, peer.stderr).to.deep.equal({ code: 0, signal: null });
  });

  it('sees the end of its parent in every way there is', async () => {
    const { reader, writer } = makePair('socketpair');
    const peer = spawnPeer(program('process-parent'), { fds: [writer], args: ['exit', 'child', 'watchParent'] });
    const [word, , alive] = (await reader.recv()) as unknown[];
    expect([word, alive]).to.deep.equal(['running', true]);
    await end(peer, 'exit');
    expect(await reader.recv()).to.deep.equal([false, true, false, true, true]);
    await rejects(reader.recv(), { code: 'ERR_MP_EOF' });
  });

  it('gets all its arguments from a parent that calls process.exit() at once', async () => {
    const { reader, writer } = makePair('socketpair');
    const peer = spawnPeer(program('process-parent'), { fds: [writer], args: ['at-once', 'child', 'lengthOf'] });
    expect(await peer.exit, peer.stderr).to.deep.equal({ code: 3, signal: null });
    expect(await reader.recv()).to.equal(1024 * 1024);
    await rejects(reader.recv(), { code: 'ERR_MP_EOF' });
  });

  it('prints the reason and ends when its parent is killed before it has passed everything on', async () => {
    const { reader, writer } = makePair('socketpair');
    const peer = spawnPeer(program('process-parent'), { fds: [writer], args: ['killed-early', 'child', 'lengthOf'] });
    expect(await peer.exit).to.deep.equal({ code: null, signal: 'SIGKILL' });
    await rejects(reader.recv(), { code: 'ERR_MP_EOF' });
    expect(peer.stderr).to.match(/^Process \d+: the parent ended before it had sent all that this process needs\n$/);
  });
});
