// SPDX-License-Identifier: MIT
//
// Signals that arrive while a Sync call blocks. The system call in which the child sleeps proves that it is blocked.
import { closeSync, openSync } from 'node:fs';
import { serialize } from 'node:v8';

import { expect } from 'chai';

import {
  frame,
  kinds,
  makePair,
  spawnPeer,
  track,
  writeRaw,
  type AnyConnection,
  type Kind,
  type Peer,
} from '../helpers/index.js';
import { possible, syncCalls, type Call } from './support/connection-calls.js';
import { expectNumbered } from './support/numbered-messages.js';
import { child, report, untilAsleep, untilChildrenEnded, untilWorkersAsleep } from './support/programs.js';

/** Starts a child that makes the call, and returns the other end. The child is not blocked yet. */
function startCall(call: Call, kind: Kind, ...args: string[]): { peer: Peer; far: AnyConnection } {
  const { reader, writer } = makePair(kind);
  const [theirs, far] = call.sends ? [writer, reader] : [reader, writer];
  // Opened before the hand-over, so that this process reads nothing ahead.
  return { peer: spawnPeer(child('sync-call'), { fds: [theirs], args: [call.name, ...args] }), far: track(far) };
}

/** The bytes that make a waiting receive succeed, in two halves, and its result. */
const body = Buffer.alloc(70_000, 1);
function answerTo(call: Call): { whole: Buffer; result: unknown } {
  switch (call.name) {
    case 'recvSync':
      return { whole: frame(serialize(body)), result: body.length };
    case 'recvBytesSync':
    case 'recvBytesIntoSync':
      return { whole: frame(body), result: body.length };
    case 'pollSync':
      return { whole: frame('x'), result: true };
    default:
      return { whole: frame('x'), result: 1 };
  }
}

/**
 * Makes the waiting call succeed, and asserts that it does. `begun` counts the messages that are partly written
 * already.
 */
async function expectSuccess(call: Call, peer: Peer, far: AnyConnection, begun: readonly number[]): Promise<void> {
  if (call.sends) {
    for (const index of begun) {
      const bytes = await (call.name === 'sendSync' ? (far.recv() as Promise<Buffer>) : far.recvBytes());
      expectNumbered(bytes, index, 1024 * 1024);
    }
    if (call.handles) closeSync(await far.recvHandle());
    expect(await report(peer)).to.deep.equal({ result: 'sent' });
  } else if (call.handles) {
    const file = openSync('/proc/self/status', 'r');
    await far.sendHandle(file);
    closeSync(file);
    expect(await report(peer)).to.deep.equal({ result: true });
  } else {
    const { whole, result } = answerTo(call);
    await writeRest(far, whole);
    expect(await report(peer)).to.deep.equal({ result });
  }
}

/** Messages without room are written when the child has read. */
async function writeRest(far: AnyConnection, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    try {
      writeRaw(far, bytes.subarray(done, done + 4096));
      done += Math.min(4096, bytes.length - done);
    } catch (error) {
      if ((error as { code?: string }).code !== 'EAGAIN') throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

for (const kind of kinds) {
  for (const call of possible(syncCalls, kind)) {
    describe(`A signal during ${call.name} (${kind})`, function () {
      it('kills the process without a listener', async function () {
        const { peer } = startCall(call, kind, 'main');
        expect(await report(peer)).to.deep.equal({ calling: 0 });
        await untilAsleep(peer.pid, 'sync call');
        peer.kill('SIGINT');
        expect(await peer.exit).to.deep.equal({ code: null, signal: 'SIGINT' });
      });

      // All signals take the same way, so one call of each direction is enough for a second signal.
      const signals = ['recvSync', 'sendSync'].includes(call.name)
        ? (['SIGINT', 'SIGUSR2'] as const)
        : (['SIGINT'] as const);
      for (const signal of signals) {
        it(`interrupts the call if JavaScript listens for ${signal}, and the next call goes on`, async function () {
          const { peer, far } = startCall(call, kind, 'main', signal);
          expect(await report(peer)).to.deep.equal({ calling: 0 });
          await untilAsleep(peer.pid, 'sync call');
          peer.kill(signal);
          const error = await report(peer);
          expect(error).to.include({ name: 'InterruptedError', code: 'ERR_MP_INTERRUPTED' });
          // A message whose first byte was written is finished, and the next call sends a message of its own.
          if (call.sends) expect(error.begun).to.equal(!call.handles);
          expect(await report(peer)).to.deep.equal({ calling: 1 });
          await expectSuccess(call, peer, far, call.handles ? [0] : [0, 1]);
          expect(await report(peer)).to.deep.equal({ heard: [signal] });
          await peer.succeeded();
        });
      }

      it('does not interrupt the call in a worker; the listener runs in the main thread', async function () {
        const { peer, far } = startCall(call, kind, 'worker', 'SIGINT');
        expect(await report(peer)).to.deep.equal({ calling: 0 });
        await untilWorkersAsleep(peer.pid, 'sync call');
        for (let i = 0; i < 3; i++) peer.kill('SIGINT');
        await untilWorkersAsleep(peer.pid, 'sync call');
        await expectSuccess(call, peer, far, [0]);
        expect(await report(peer)).to.deep.equal({ heard: ['SIGINT'] });
        await peer.succeeded();
      });

      it('kills the process from a worker without a listener', async function () {
        const { peer } = startCall(call, kind, 'worker');
        expect(await report(peer)).to.deep.equal({ calling: 0 });
        await untilWorkersAsleep(peer.pid, 'sync call');
        peer.kill('SIGINT');
        expect(await peer.exit).to.deep.equal({ code: null, signal: 'SIGINT' });
      });

      it('has no effect if it is SIGCHLD, whatever JavaScript listens for', async function () {
        const { peer, far } = startCall(call, kind, 'children', 'SIGINT', 'SIGCHLD');
        expect(await report(peer)).to.deep.equal({ calling: 0 });
        await untilAsleep(peer.pid, 'sync call');
        await untilChildrenEnded(peer.pid, 5);
        await expectSuccess(call, peer, far, [0]);
        await peer.succeeded();
      });
    });
  }

  describe(`A message that a signal cuts in two (${kind})`, function () {
    for (const name of ['recvSync', 'recvBytesSync', 'recvBytesIntoSync']) {
      const call = syncCalls.find((candidate) => candidate.name === name)!;
      for (const cut of [1, 4, 5, 69_000]) {
        it(`is received whole by the next ${name}, cut after ${cut} bytes`, async function () {
          const { peer, far } = startCall(call, kind, 'main', 'SIGINT');
          const { whole, result } = answerTo(call);
          await writeRest(far, whole.subarray(0, cut));
          expect(await report(peer)).to.deep.equal({ calling: 0 });
          await untilAsleep(peer.pid, 'sync call');
          peer.kill('SIGINT');
          expect(await report(peer)).to.include({ code: 'ERR_MP_INTERRUPTED' });
          await writeRest(far, whole.subarray(cut));
          expect(await report(peer)).to.deep.equal({ calling: 1 });
          expect(await report(peer)).to.deep.equal({ result });
          await peer.succeeded();
        });
      }
    }
  });
}
