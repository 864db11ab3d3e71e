// SPDX-License-Identifier: MIT
//
// The order of messages, and several calls in the same direction.
import { expect } from 'chai';

import {
  kinds,
  makePair,
  modes,
  pattern,
  rejects,
  startTalk,
  fewPeers,
  throws,
  track,
  turns,
  via,
} from '../helpers/index.js';

const MIB = 1024 * 1024;

describe('Sends that are not awaited', () => {
  for (const kind of kinds) {
    it(`arrive in order, whatever their sizes (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const sizes = [0, 1, 100_000, 3, 65_536, 65_537, 0, MIB, 2, 70_000];
      const sends = sizes.map((size, seed) => writer.sendBytes(pattern(size, seed)));
      for (const [seed, size] of sizes.entries()) {
        expect((await reader.recvBytes()).equals(pattern(size, seed)), `${size} bytes`).to.equal(true);
      }
      await Promise.all(sends);
    });

    it(`resolve in order (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const resolved: number[] = [];
      const sends = Array.from({ length: 20 }, (_, i) =>
        writer.sendBytes(pattern(50_000)).then(() => resolved.push(i)),
      );
      for (let i = 0; i < 20; i++) await reader.recvBytes();
      await Promise.all(sends);
      expect(resolved).to.deep.equal([...resolved.keys()]);
    });

    it(`are written before a Sync send (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      void writer.sendBytes(Buffer.from('a'));
      void writer.sendBytes(Buffer.from('b'));
      writer.sendBytesSync(Buffer.from('c'));
      void writer.sendBytes(Buffer.from('d'));
      const received: string[] = [];
      for (let i = 0; i < 4; i++) received.push((await reader.recvBytes()).toString());
      expect(received.join('')).to.equal('abcd');
    });

    it(`are written by fileno() and by close() (${kind})`, () => {
      const { reader, writer } = makePair(kind);
      void writer.sendBytes(Buffer.from('a'));
      void writer.sendBytes(Buffer.from('b'));
      writer.fileno();
      expect(reader.recvBytesSync().toString()).to.equal('a');
      expect(reader.recvBytesSync(undefined, { timeout: 0 }).toString()).to.equal('b');
      void writer.sendBytes(Buffer.from('c'));
      void writer.sendBytes(Buffer.from('d'));
      writer.close();
      expect(reader.recvBytesSync().toString()).to.equal('c');
      expect(reader.recvBytesSync(undefined, { timeout: 0 }).toString()).to.equal('d');
      throws(() => reader.recvBytesSync(), { code: 'ERR_MP_EOF' });
    });

    it(`all leave in an endless stream, while timers run (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      let fired = false;
      setTimeout(() => (fired = true), 1);
      // Neither side ever has to wait here, so the timer runs only if both yield on purpose.
      for (let i = 0; !fired && i < 5_000_000; i++) {
        await writer.sendBytes(Buffer.of(i & 0xff));
        expect((await reader.recvBytes())[0]).to.equal(i & 0xff);
      }
      expect(fired).to.equal(true);
    });

    for (const size of [10, MIB]) {
      for (const language of fewPeers()) {
        it(`do not deadlock in send(); send(); recvSync() with ${size} bytes (${language.label}, ${kind})`, async () => {
          const { peer, reader, writer } = startTalk(language, kind, 'echo');
          const sends = [writer.sendBytes(pattern(size, 1)), writer.sendBytes(pattern(size, 2))];
          expect(reader.recvBytesSync().equals(pattern(size, 1))).to.equal(true);
          expect(reader.recvBytesSync().equals(pattern(size, 2))).to.equal(true);
          await Promise.all(sends);
          writer.close();
          await peer.succeeded();
        });
      }
    }
  }
});

describe('Receives', () => {
  for (const kind of kinds) {
    it(`are served in the order of the calls (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const buffer = Buffer.alloc(10);
      const pending = [reader.recvBytes(), reader.recv(), reader.recvBytesInto(buffer), reader.recvBytes(100)];
      await writer.sendBytes(Buffer.from('first'));
      await writer.send({ second: true });
      await writer.sendBytes(Buffer.from('third'));
      await writer.sendBytes(Buffer.from('fourth'));
      expect(String(await pending[0])).to.equal('first');
      expect(await pending[1]).to.deep.equal({ second: true });
      expect(await pending[2]).to.equal(5);
      expect(buffer.toString('utf8', 0, 5)).to.equal('third');
      expect(String(await pending[3])).to.equal('fourth');
    });

    it(`of several Connections for one endpoint share one order (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const copy = reader.dup();
      const pending = [copy.recvBytes(), reader.recvBytes(), copy.recvBytes()];
      for (const text of ['1', '2', '3']) await writer.sendBytes(Buffer.from(text));
      expect((await Promise.all(pending)).map(String)).to.deep.equal(['1', '2', '3']);
      copy.close();
    });

    it(`are never overtaken by a Sync receive or tryRecv (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const pending = reader.recvBytes();
      throws(() => reader.recvBytesSync(), { code: 'ERR_MP_BUSY', name: 'BusyError' });
      throws(() => reader.recvSync(), { code: 'ERR_MP_BUSY' });
      throws(() => reader.recvBytesIntoSync(Buffer.alloc(1)), { code: 'ERR_MP_BUSY' });
      const copy = track(reader.dup());
      throws(() => copy.recvBytesSync(), { code: 'ERR_MP_BUSY' });
      writer.sendBytesSync(Buffer.from('x'));
      expect(reader.tryRecvBytes()).to.equal(undefined);
      expect(String(await pending)).to.equal('x');
      await turns();
      writer.sendBytesSync(Buffer.from('y'));
      expect(reader.recvBytesSync().toString()).to.equal('y');
    });
  }

  it('do not hinder sending on the same duplex connection', async () => {
    const { reader: a, writer: b } = makePair('socketpair');
    const pending = a.recvBytes();
    a.sendBytesSync(Buffer.from('question'));
    expect(b.recvBytesSync().toString()).to.equal('question');
    b.sendBytesSync(Buffer.from('answer'));
    expect(String(await pending)).to.equal('answer');
  });

  it('make recvHandleSync throw BusyError', async () => {
    const { reader, writer } = makePair('socketpair');
    const pending = reader.recvBytes();
    throws(() => reader.recvHandleSync(), { code: 'ERR_MP_BUSY' });
    writer.sendBytesSync(Buffer.from('x'));
    await pending;
  });
});

describe('Connection.tryRecv', () => {
  for (const kind of kinds) {
    it(`returns a value, or undefined if there is none yet (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      expect(reader.tryRecv()).to.equal(undefined);
      expect(reader.tryRecvBytes()).to.equal(undefined);
      await writer.send(undefined);
      expect(reader.tryRecv()).to.deep.equal({ value: undefined });
      await writer.sendBytes(Buffer.alloc(0));
      expect(reader.tryRecvBytes()?.length).to.equal(0);
      void writer.sendBytes(pattern(300_000));
      let large: Buffer | undefined;
      while (large === undefined) {
        large = reader.tryRecvBytes();
        await turns(1);
      }
      expect(large.equals(pattern(300_000))).to.equal(true);
      writer.close();
      throws(() => reader.tryRecv(), { code: 'ERR_MP_EOF' });
      throws(() => reader.tryRecvBytes(), { code: 'ERR_MP_EOF' });
    });
  }
});

describe('Both directions at once', () => {
  for (const mode of modes) {
    it(`carry large messages across each other in a socketpair (${mode})`, async () => {
      const { reader: a, writer: b } = makePair('socketpair');
      const crossing = [a.sendBytes(pattern(MIB, 1)), b.sendBytes(pattern(MIB, 2))];
      expect((await via(mode, a).recvBytes()).equals(pattern(MIB, 2))).to.equal(true);
      expect((await via(mode, b).recvBytes()).equals(pattern(MIB, 1))).to.equal(true);
      await Promise.all(crossing);
    });

    it(`let a send that cannot finish time out and report that it has begun (${mode})`, async () => {
      const { reader, writer } = makePair('pipe');
      await rejects(via(mode, writer).sendBytes(pattern(MIB), 0, undefined, { timeout: 20 }), {
        code: 'ERR_MP_TIMEOUT',
        begun: true,
      });
      await rejects(via(mode, writer).sendBytes(pattern(3), 0, undefined, { timeout: 20 }), {
        code: 'ERR_MP_TIMEOUT',
        begun: false,
      });
      const last = writer.sendBytes(Buffer.from('last'));
      expect((await reader.recvBytes()).equals(pattern(MIB))).to.equal(true);
      expect(String(await reader.recvBytes())).to.equal('last');
      await last;
    });
  }
});
