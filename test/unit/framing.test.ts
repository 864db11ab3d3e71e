// SPDX-License-Identifier: MIT
//
// The bytes of messages, made by hand where no sender would make them.
import { readSync } from 'node:fs';

import { expect } from 'chai';

import {
  frame,
  kinds,
  makePair,
  modes,
  pattern,
  rejects,
  ioMethods,
  via,
  withIoMethod,
  writeRaw,
} from '../helpers/index.js';

describe('The bytes of a message', () => {
  for (const kind of kinds) {
    for (const mode of modes) {
      it(`are 4 bytes of length, big-endian, and the message (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        await via(mode, writer).sendBytes(Buffer.from('hi'));
        await via(mode, writer).sendBytes(Buffer.alloc(0));
        const bytes = Buffer.alloc(20);
        const length = readSync(reader.fileno(), bytes);
        expect(bytes.toString('hex', 0, length)).to.equal('00000002686900000000');
      });

      for (const readAhead of [true, false]) {
        it(`may have the 8-byte form of the length at any length (${kind}, ${mode}, readAhead ${readAhead})`, async () => {
          const { reader, writer } = makePair(kind, { readAhead });
          const input = via(mode, reader);
          const lengths = [0, 3, 300, 30_000];
          for (const length of lengths) writeRaw(writer, frame(pattern(length), true));
          writeRaw(writer, frame('short form'));
          for (const length of lengths) expect((await input.recvBytes()).equals(pattern(length))).to.equal(true);
          expect((await input.recvBytes()).toString()).to.equal('short form');
        });
      }

      for (const ioMethod of ioMethods) {
        if (kind === 'socketpair' && ioMethod !== 'nowait') continue;
        for (const long of [false, true]) {
          it(`may arrive one by one, with a ${long ? 'long' : 'short'} header (${kind}, ${mode}, ${ioMethod})`, async () => {
            for (const readAhead of [true, false]) {
              const { reader, writer } = withIoMethod(ioMethod, () => makePair(kind, { readAhead }));
              const input = via(mode, reader);
              const bytes = frame('payload', long);
              for (let i = 0; i < bytes.length - 1; i++) {
                writeRaw(writer, bytes.subarray(i, i + 1));
                await rejects(input.recvBytes(undefined, { timeout: 0 }), { code: 'ERR_MP_TIMEOUT' });
                expect(reader.tryRecvBytes()).to.equal(undefined);
              }
              writeRaw(writer, bytes.subarray(-1));
              expect((await input.recvBytes(undefined, { timeout: 0 })).toString()).to.equal('payload');
              expect(await input.poll()).to.equal(false);
            }
          });
        }
      }
    }

    it(`may arrive one by one during a pending receive (${kind})`, async () => {
      const { reader, writer } = makePair(kind, { readAhead: false });
      const received = reader.recvBytes();
      for (const byte of frame('slowly')) {
        writeRaw(writer, Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect((await received).toString()).to.equal('slowly');
    });

    it(`are all that is read from the descriptor without reading ahead (${kind})`, async () => {
      const { reader, writer } = makePair(kind, { readAhead: false });
      writeRaw(writer, Buffer.concat([frame('first'), frame('second')]));
      expect((await reader.recvBytes()).toString()).to.equal('first');
      const rest = Buffer.alloc(100);
      const length = readSync(reader.fileno(), rest);
      expect(rest.subarray(0, length).equals(frame('second'))).to.equal(true);
    });

    it(`stay receivable after fileno(), which stops reading ahead (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      writeRaw(writer, Buffer.concat([frame('first'), frame('second')]));
      expect((await reader.recvBytes()).toString()).to.equal('first');
      expect(reader.fileno()).to.be.greaterThan(2);
      writeRaw(writer, Buffer.concat([frame('third'), frame('fourth')]));
      expect(reader.recvBytesSync().toString()).to.equal('second');
      expect(reader.recvBytesSync().toString()).to.equal('third');
      const rest = Buffer.alloc(100);
      expect(readSync(reader.fileno(), rest)).to.equal(frame('fourth').length);
    });
  }
});
