// SPDX-License-Identifier: MIT
import { expect } from 'chai';

import { frame, kinds, makePair, modes, pattern, rejects, throws, turns, via, writeRaw } from '../helpers/index.js';

describe('Connection.poll', () => {
  for (const kind of kinds) {
    for (const mode of modes) {
      it(`answers at once without a timeout, and waits at least as long as its timeout (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        const input = via(mode, reader);
        expect(await input.poll()).to.equal(false);
        expect(await input.poll(undefined)).to.equal(false);
        for (const timeout of [0, -1, -Infinity]) expect(await input.poll(timeout)).to.equal(false);
        const before = performance.now();
        expect(await input.poll(30.5)).to.equal(false);
        expect(performance.now() - before).to.be.at.least(30.5);
        writer.sendBytesSync(Buffer.from('x'));
        for (const timeout of [undefined, 0, -1, 1000, null, Infinity])
          expect(await input.poll(timeout)).to.equal(true);
      });

      it(`counts bytes held in memory, part of a header, and the end of data (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        const input = via(mode, reader);
        writeRaw(writer, Buffer.concat([frame('one'), frame('two')]));
        expect(String(await input.recvBytes())).to.equal('one');
        expect(await input.poll()).to.equal(true);
        expect(await input.poll(null)).to.equal(true);
        expect(String(await input.recvBytes())).to.equal('two');
        expect(await input.poll()).to.equal(false);
        writeRaw(writer, Buffer.of(0));
        expect(await input.poll(null)).to.equal(true);
        writeRaw(writer, Buffer.of(0, 0, 0));
        expect((await input.recvBytes()).length).to.equal(0);
        writer.close();
        expect(await input.poll(null)).to.equal(true);
        expect(await input.poll()).to.equal(true);
        await rejects(input.recvBytes(), { code: 'ERR_MP_EOF' });
        expect(await input.poll()).to.equal(true);
      });

      it(`consumes nothing (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        void writer.sendBytes(pattern(200_000));
        for (let i = 0; i < 5; i++) expect(await via(mode, reader).poll(null)).to.equal(true);
        expect((await via(mode, reader).recvBytes()).equals(pattern(200_000))).to.equal(true);
      });
    }

    it(`sees a message that a pending receive also sees (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const polls = [reader.poll(null), reader.poll(60_000)];
      await turns();
      await writer.sendBytes(Buffer.from('x'));
      expect(await Promise.all(polls)).to.deep.equal([true, true]);
      expect(String(await reader.recvBytes())).to.equal('x');
    });
  }

  it('is refused by an end that only sends', async () => {
    const { writer } = makePair('pipe');
    await rejects(writer.poll(), { code: 'ERR_MP_NOT_READABLE', name: 'NotReadable' });
    throws(() => writer.pollSync(), { code: 'ERR_MP_NOT_READABLE' });
  });
});

describe('The direction of an end', () => {
  it('refuses all calls of the other direction', async () => {
    const { reader, writer } = makePair('pipe');
    for (const mode of modes) {
      const input = via(mode, writer);
      const output = via(mode, reader);
      for (const promise of [
        input.recv(),
        input.recvBytes(),
        input.recvBytesInto(Buffer.alloc(1)),
        input.recvHandle(),
      ]) {
        await rejects(promise, { code: 'ERR_MP_NOT_READABLE' });
      }
      for (const promise of [output.send(1), output.sendBytes(Buffer.alloc(1)), output.sendHandle(0)]) {
        await rejects(promise, { code: 'ERR_MP_NOT_WRITABLE', name: 'NotWritable' });
      }
    }
    throws(() => writer.tryRecv(), { code: 'ERR_MP_NOT_READABLE' });
    throws(() => writer.tryRecvBytes(), { code: 'ERR_MP_NOT_READABLE' });
  });
});
