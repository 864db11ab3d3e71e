// SPDX-License-Identifier: MIT
//
// O_NONBLOCK belongs to the open file description, which every process that inherited the descriptor shares: a peer
// that blocks in read() would get EAGAIN, and break. So no operation may ever set it, with any I/O method.
import { closeSync, readFileSync } from 'node:fs';

import { expect } from 'chai';

import { wait, waitSync } from 'node-multiprocessing';
import {
  covered,
  edgePythons,
  kinds,
  makePair,
  rejects,
  ioMethods,
  spawnPeer,
  turns,
  withIoMethod,
  within,
  type AnyConnection,
  type Kind,
} from '../helpers/index.js';
import { big } from './support/connection-calls.js';
import { pythonChild, untilAsleep } from './support/programs.js';

const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

function flagsOf(fd: number): number {
  const [, flags] = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? [];
  return parseInt(flags!, 8);
}

function expectFlags(connections: readonly AnyConnection[], when: string): void {
  for (const connection of connections) {
    const flags = flagsOf(connection.fileno());
    expect(flags & O_NONBLOCK, `O_NONBLOCK after ${when}`).to.equal(0);
    expect(flags & O_CLOEXEC, `O_CLOEXEC after ${when}`).to.equal(O_CLOEXEC);
  }
}

/** Every operation. Each leaves the pair empty. */
const operations: Record<string, (reader: AnyConnection, writer: AnyConnection) => Promise<unknown>> = {
  'send and recv': async (reader, writer) => {
    await writer.send(1);
    await reader.recv();
  },
  'a recv that waits': async (reader, writer) => {
    const received = reader.recv();
    await turns();
    expectFlags([reader, writer], 'a recv began to wait');
    await writer.send(1);
    await received;
  },
  'a send that waits': async (reader, writer) => {
    const sent = writer.sendBytes(big);
    await turns();
    expectFlags([reader, writer], 'a send began to wait');
    await reader.recvBytes();
    await sent;
  },
  'sendSync and recvSync': async (reader, writer) => {
    writer.sendSync(1);
    reader.recvSync();
    return rejects(
      Promise.resolve().then(() => reader.recvSync({ timeout: 1 }) as unknown),
      { code: 'ERR_MP_TIMEOUT' },
    );
  },
  'a sendSync that times out': async (reader, writer) => {
    const timedOut = Promise.resolve().then(() => {
      writer.sendBytesSync(big, 0, big.length, { timeout: 1 });
    });
    await rejects(timedOut, { code: 'ERR_MP_TIMEOUT', begun: true });
    await reader.recvBytes();
  },
  'a recv that times out': (reader) => rejects(reader.recv({ timeout: 1 }), { code: 'ERR_MP_TIMEOUT' }),
  'poll, wait and tryRecv': async (reader, writer) => {
    await reader.poll(1);
    reader.pollSync(1);
    await wait([reader, reader.fileno()], 1);
    waitSync([reader, reader.fileno()], 1);
    expect(reader.tryRecv()).to.equal(undefined);
    const ready = wait([reader, reader.fileno()]);
    await writer.send(1);
    await ready;
    await reader.recv();
  },
  'dup and close': async (reader) => {
    reader.dup().close();
    return turns();
  },
};

describe('The flags of a descriptor', function () {
  for (const kind of kinds) {
    for (const ioMethod of kind === 'pipe' ? ioMethods : (['nowait'] as const)) {
      for (const [name, operation] of Object.entries(operations)) {
        it(`do not change by ${name} (${kind}, ${ioMethod})`, async function () {
          const { reader, writer } = withIoMethod(ioMethod, () => makePair(kind));
          expectFlags([reader, writer], 'Pipe()');
          await operation(reader, writer);
          expectFlags([reader, writer], name);
          reader.close();
          await turns();
          expectFlags([writer], 'closing the other end');
        });
      }
    }
  }

  it('contain close-on-exec for a received descriptor', async function () {
    const { reader, writer } = makePair('socketpair');
    await writer.sendHandle(0);
    const adopted = await reader.recvHandle();
    expect(flagsOf(adopted) & O_CLOEXEC).to.equal(O_CLOEXEC);
    closeSync(adopted);
  });
});

describe('A Python peer that shares a descriptor with this process', function () {
  for (const python of edgePythons()) {
    for (const kind of kinds) {
      for (const ioMethod of kind === 'pipe' ? ioMethods : (['nowait'] as const)) {
        it(`is not disturbed in recv_bytes by calls here (${python.version}, ${kind}, ${ioMethod})`, async function () {
          const { reader, writer } = withIoMethod(ioMethod, () => makePair(kind));
          const peer = spawnPeer(pythonChild(python, 'blocked'), { fds: [reader], keep: true, args: ['receive'] });
          expect(await peer.line()).to.equal('started');
          await untilAsleep(peer.pid, 'read');
          await useWithoutReading(reader, writer, kind);
          for (const length of [1, 50_000, 500_000]) {
            await untilAsleep(peer.pid, 'read');
            await writer.sendBytes(Buffer.alloc(length));
            expect(await peer.line()).to.equal(String(length));
          }
          await peer.succeeded();
          covered({ peer: `python${python.version}`, kind, direction: 'send', mode: 'async', ioMethod });
        });

        it(`is not disturbed in send_bytes by calls here (${python.version}, ${kind}, ${ioMethod})`, async function () {
          const { reader, writer } = withIoMethod(ioMethod, () => makePair(kind));
          const peer = spawnPeer(pythonChild(python, 'blocked'), { fds: [writer], keep: true, args: ['send'] });
          expect(await peer.line()).to.equal('started');
          await untilAsleep(peer.pid, 'write');
          if (kind === 'socketpair') {
            // The other direction of the same description.
            await rejects(writer.recv({ timeout: 1 }), { code: 'ERR_MP_TIMEOUT' });
            await reader.send('backwards');
            expect(await writer.recv()).to.equal('backwards');
          }
          expectFlags([reader, writer], 'asynchronous calls');
          await untilAsleep(peer.pid, 'write');
          expect(await reader.recvBytes()).to.have.length(1_000_000);
          expect(await peer.line()).to.equal('sent');
          await peer.succeeded();
          covered({ peer: `python${python.version}`, kind, direction: 'receive', mode: 'async', ioMethod });
        });
      }
    }
  }

  /** Makes asynchronous calls that find nothing, so that the peer gets everything that is sent later. */
  async function useWithoutReading(reader: AnyConnection, writer: AnyConnection, kind: Kind): Promise<void> {
    await rejects(reader.recv({ timeout: 1 }), { code: 'ERR_MP_TIMEOUT' });
    expect(await reader.poll(1)).to.be.false;
    expect(await wait([reader, reader.fileno()], 1)).to.deep.equal([]);
    if (kind === 'socketpair') {
      await reader.send('backwards');
      expect(await within(10_000, writer.recv(), 'the message')).to.equal('backwards');
    }
    expectFlags([reader, writer], 'asynchronous calls');
  }
});
