// SPDX-License-Identifier: MIT
//
// Lengths that are refused, and the state afterwards.
import { expect } from 'chai';

import { frame, header, kinds, makePair, modes, rejects, throws, via, writeRaw } from '../helpers/index.js';

const MIB = 1024 * 1024;

describe('recvBytes with maxLength', () => {
  for (const kind of kinds) {
    for (const mode of modes) {
      it(`receives a message of exactly maxLength (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        await writer.sendBytes(Buffer.from('12345'));
        expect((await via(mode, reader).recvBytes(5)).toString()).to.equal('12345');
        await writer.sendBytes(Buffer.alloc(0));
        expect((await via(mode, reader).recvBytes(0)).length).to.equal(0);
      });

      for (const size of [6, 100_000]) {
        it(`rejects with BadMessageLength for ${size} bytes, and receives nothing afterwards (${kind}, ${mode})`, async () => {
          const { reader, writer } = makePair(kind);
          const sent = writer.sendBytes(Buffer.alloc(size));
          sent.catch(() => undefined);
          const input = via(mode, reader);
          await rejects(input.recvBytes(5), {
            code: 'ERR_MP_BAD_MESSAGE_LENGTH',
            name: 'BadMessageLength',
            length: size,
          });
          for (const receive of [
            input.recvBytes(),
            input.recv(),
            input.recvBytesInto(Buffer.alloc(10)),
            input.poll(),
          ]) {
            await rejects(receive, { code: 'ERR_MP_NOT_READABLE' });
          }
          throws(() => reader.tryRecv(), { code: 'ERR_MP_NOT_READABLE' });
          expect(reader.readable).to.equal(false);
          expect(reader.closed).to.equal(false);
        });
      }
    }
  }

  for (const mode of modes) {
    it(`leaves a duplex connection writable (${mode})`, async () => {
      const { reader, writer } = makePair('socketpair');
      await writer.sendBytes(Buffer.alloc(10));
      await rejects(via(mode, reader).recvBytes(5), { code: 'ERR_MP_BAD_MESSAGE_LENGTH' });
      expect(reader.writable).to.equal(true);
      await via(mode, reader).sendBytes(Buffer.from('answer'));
      expect((await via(mode, writer).recvBytes()).toString()).to.equal('answer');
    });
  }
});

describe('Lengths of messages', () => {
  const cases: [string, Buffer, number][] = [
    ['-2', header(-2), -2],
    ['-2^31', header(-(2 ** 31)), -(2 ** 31)],
    // The long form has no sign. A length above 63 bits is reported as the largest length of 63 bits.
    ['2^64-1', header(-1, true), 2 ** 63],
    ['2^63', header(2n ** 63n, true), 2 ** 63],
    ['maxMessageBytes + 1', header(1001), 1001],
    ['maxMessageBytes + 1 in the long form', header(1001, true), 1001],
    ['1 TiB', header(2 ** 40, true), 2 ** 40],
  ];
  for (const kind of kinds) {
    for (const mode of modes) {
      for (const [name, bytes, length] of cases) {
        it(`make the connection unreadable: ${name} (${kind}, ${mode})`, async () => {
          for (const readAhead of [true, false]) {
            const { reader, writer } = makePair(kind, { readAhead, maxMessageBytes: 1000 });
            writeRaw(writer, Buffer.concat([bytes, frame('not to be found')]));
            const input = via(mode, reader);
            await rejects(input.recvBytes(), { code: 'ERR_MP_BAD_MESSAGE_LENGTH', length });
            await rejects(input.recvBytes(), { code: 'ERR_MP_NOT_READABLE' });
            expect(reader.readable).to.equal(false);
          }
        });
      }

      it(`may be maxMessageBytes itself (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind, { maxMessageBytes: 1000 });
        writeRaw(writer, frame(Buffer.alloc(1000)));
        expect((await via(mode, reader).recvBytes()).length).to.equal(1000);
      });
    }

    it(`make the receives fail that wait behind a refused message (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const pending = [reader.recvBytes(5), reader.recvBytes(), reader.recv()];
      await writer.sendBytes(Buffer.alloc(6));
      await rejects(pending[0] as Promise<unknown>, { code: 'ERR_MP_BAD_MESSAGE_LENGTH' });
      await rejects(pending[1] as Promise<unknown>, { code: 'ERR_MP_NOT_READABLE' });
      await rejects(pending[2] as Promise<unknown>, { code: 'ERR_MP_NOT_READABLE' });
    });
  }
});

describe('The memory for an announced message', () => {
  for (const kind of kinds) {
    for (const mode of modes) {
      it(`does not grow for 1 GiB announced with 10 bytes sent (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        writeRaw(writer, Buffer.concat([header(1024 * MIB), Buffer.alloc(10)]));
        const before = process.memoryUsage();
        await rejects(via(mode, reader).recvBytes(undefined, { timeout: 20 }), { code: 'ERR_MP_TIMEOUT' });
        const after = process.memoryUsage();
        // One buffer of 1 MiB is needed. The rest is room for what the runtime does meanwhile.
        expect(after.external - before.external).to.be.lessThan(4 * MIB);
        expect(after.rss - before.rss).to.be.lessThan(64 * MIB);
        writer.close();
        await rejects(reader.recvBytes(), { code: 'ERR_MP_TRUNCATED', received: 10, expected: 1024 * MIB });
      });
    }
  }
});
