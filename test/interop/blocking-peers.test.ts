// SPDX-License-Identifier: MIT
//
// O_NONBLOCK belongs to the open file description, which an inherited descriptor shares. If this side ever set it, a
// peer that blocks in a read or write would fail with EAGAIN.
import { expect } from 'chai';

import {
  edgePythons,
  flagsOf,
  kinds,
  TOO_LONG,
  makePair,
  modes,
  pattern,
  pythonPeer,
  rejects,
  ioMethods,
  somePeers,
  spawnPeer,
  startSink,
  turns,
  via,
  withIoMethod,
} from '../helpers/index.js';

describe('Descriptors that a peer shares', () => {
  for (const kind of kinds) {
    for (const ioMethod of ioMethods) {
      if (kind === 'socketpair' && ioMethod !== 'nowait') continue;

      it(`stay blocking through every kind of call (${kind}, ${ioMethod})`, async () => {
        const { reader, writer } = withIoMethod(ioMethod, () => makePair(kind));
        const flags = (): unknown => [flagsOf(reader.fileno()), flagsOf(writer.fileno())];
        const blocking = Array.from({ length: 2 }, () => ({ closeOnExec: true, nonBlocking: false }));
        for (const mode of modes) {
          await rejects(via(mode, reader).recvBytes(undefined, { timeout: 5 }), { code: 'ERR_MP_TIMEOUT' });
          await rejects(via(mode, writer).sendBytes(pattern(TOO_LONG), 0, undefined, { timeout: 5 }), {
            code: 'ERR_MP_TIMEOUT',
          });
          expect(flags()).to.deep.equal(blocking);
          await reader.poll(5);
          expect((await via(mode, reader).recvBytes()).equals(pattern(TOO_LONG))).to.equal(true);
          const pending = reader.recv();
          await turns();
          expect(flags()).to.deep.equal(blocking);
          await writer.send(1);
          await pending;
        }
      });

      for (const python of edgePythons()) {
        it(`let receives here leave a peer undisturbed that blocks in recv_bytes (python${python.version}, ${kind}, ${ioMethod})`, async () => {
          const { reader, writer } = withIoMethod(ioMethod, () => makePair(kind, { readAhead: false }));
          const peer = spawnPeer(pythonPeer(python, 'peer'), {
            fds: [reader],
            keep: true,
            args: ['unblock', kind === 'pipe' ? 'reader' : 'duplex'],
          });
          expect(await peer.line()).to.equal('ready');
          await rejects(reader.recvBytes(undefined, { timeout: 30 }), { code: 'ERR_MP_TIMEOUT' });
          expect(reader.tryRecvBytes()).to.equal(undefined);
          expect(reader.pollSync(10)).to.equal(false);
          await rejects(via('sync', reader).recvBytes(undefined, { timeout: 10 }), { code: 'ERR_MP_TIMEOUT' });
          reader.close();
          await writer.sendBytes(Buffer.from('undisturbed'));
          expect(await peer.line()).to.equal('undisturbed');
          await peer.succeeded();
        });
      }
    }

    for (const language of somePeers()) {
      it(`carry 100 large messages whole to a peer that blocks (${language.label}, ${kind})`, async () => {
        const { peer, writer } = startSink(language, kind, 'sink', { env: { NODE_TEST_MODE: 'sync' } });
        const message = pattern(200_000);
        for (let i = 0; i < 100; i++) void writer.sendBytes(message);
        writer.close();
        const lines = (await peer.succeeded()).trim().split('\n');
        expect(lines.length).to.equal(101);
        expect(new Set(lines.slice(0, 100)).size).to.equal(1);
        expect(lines[100]).to.equal('EOFError');
      });
    }
  }
});
