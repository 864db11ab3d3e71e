// SPDX-License-Identifier: MIT
//
// What keeps a process alive. A process that stays is one whose main thread sleeps in the event loop without a natural
// end.
import { expect } from 'chai';

import { makePair, spawnPeer, within, type AnyConnection, type Peer } from '../helpers/index.js';
import { big } from './support/connection-calls.js';
import { child, untilAsleep } from './support/programs.js';

function start(name: string): { peer: Peer; reader: AnyConnection } {
  const { reader, writer } = makePair('socketpair');
  return { peer: spawnPeer(child('ref'), { fds: [writer], args: [name] }), reader };
}

async function linesUntilEnd(peer: Peer): Promise<string[]> {
  await peer.succeeded();
  return peer.stdout.trim().split('\n');
}

describe('A process', function () {
  for (const name of [
    'idle',
    'unref recv',
    'unref poll',
    'unref wait',
    'unref recv with a timeout',
    'recv, then unref',
    // Regression: its timer kept the process alive.
    'recv with a timeout, then unref',
    'ref and unref of a dup()',
    'unref acquire of a taken Lock',
    'unref wait of a Condition',
    'unref wait of an Event',
  ]) {
    it(`is not kept alive by: ${name}`, async function () {
      const { peer } = start(name);
      expect(await within(30_000, linesUntilEnd(peer), 'the natural end')).to.deep.equal(['started', 'natural end']);
    });
  }

  for (const [name, result] of [
    ['recv', '"hello"'],
    ['idle after use', '"hello"'],
    ['poll', 'true'],
    ['wait', '1'],
    ['wait of an Event, until a message comes', 'true'],
    ['unref recv, then ref', '"hello"'],
    // Regression: the receive that was being decoded was subtracted twice, and the next pending receive kept nothing
    // alive.
    ['recv after a close() while decoding', '"hello"'],
  ] as const) {
    it(`is kept alive by: ${name}`, async function () {
      const { peer, reader } = start(name);
      expect(await peer.line()).to.equal('started');
      await untilAsleep(peer.pid, 'event loop');
      expect(peer.stdout).to.equal('started\n');
      await reader.send('hello');
      expect(await linesUntilEnd(peer)).to.deep.equal(['started', `received ${result}`, 'natural end']);
    });
  }

  it('is kept alive by one of two Connections of an endpoint', async function () {
    const { peer, reader } = start('one of two unref');
    expect(await peer.line()).to.equal('started');
    await untilAsleep(peer.pid, 'event loop');
    await reader.send('first');
    expect(await peer.line()).to.equal('received "first"');
    await untilAsleep(peer.pid, 'event loop');
    expect(peer.ended).to.be.false;
    await reader.send('second');
    expect(await peer.line()).to.equal('received "second"');
    expect((await linesUntilEnd(peer)).at(-1)).to.equal('natural end');
  });

  for (const name of ['send', 'send, then close']) {
    it(`is kept alive by: ${name}`, async function () {
      const { peer, reader } = start(name);
      expect(await peer.line()).to.equal('started');
      await untilAsleep(peer.pid, 'event loop');
      expect(peer.stdout).to.equal('started\n');
      expect(await reader.recvBytes()).to.have.length(big.length);
      expect(await linesUntilEnd(peer)).to.deep.equal(['started', 'sent', 'natural end']);
    });
  }

  it('ends naturally with an unref()ed send, and writes its message at the end', async function () {
    const { peer, reader } = start('unref send');
    expect(await peer.line()).to.equal('started');
    expect(await peer.line()).to.equal('natural end');
    expect(await reader.recvBytes()).to.have.length(big.length);
    await peer.succeeded();
    expect(peer.stderr).to.equal('');
  });

  it('is kept alive by a wait without objects until its timeout', async function () {
    const { peer } = start('wait for the time to pass');
    expect(await linesUntilEnd(peer)).to.deep.equal(['started', 'received 0', 'natural end']);
  });

  it('gets the TimeoutError of an unref()ed receive in time, whatever else keeps it alive', async function () {
    const { peer } = start('unref recv that times out');
    expect(await linesUntilEnd(peer)).to.deep.equal(['started', 'failed ERR_MP_TIMEOUT', 'natural end']);
  });

  it('is not kept alive by a receive that timed out', async function () {
    const { peer } = start('recv that timed out');
    expect(await linesUntilEnd(peer)).to.deep.equal(['started', 'failed ERR_MP_TIMEOUT', 'natural end']);
  });
});
