// SPDX-License-Identifier: MIT
import { expect } from 'chai';
import { BufferTooShort } from 'node-multiprocessing';

import { instance, kinds, makePair, modes, pattern, rejects, via } from '../helpers/index.js';

describe('Connection.recvBytesInto', () => {
  for (const kind of kinds) {
    for (const mode of modes) {
      it(`writes at the offset and nowhere else, and resolves to the length (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        const input = via(mode, reader);
        for (const [size, offset, room] of [
          [5, 0, 5],
          [5, 0, 9],
          [5, 2, 9],
          [5, 4, 9],
          [0, 9, 9],
          [0, 0, 0],
          [70_000, 13, 70_013],
        ] as const) {
          const message = pattern(size, 1);
          const sent = writer.sendBytes(message);
          const buffer = Buffer.alloc(room, 0xee);
          expect(await input.recvBytesInto(buffer, offset)).to.equal(size);
          await sent;
          const expected = Buffer.alloc(room, 0xee);
          message.copy(expected, offset);
          expect(buffer.equals(expected), `${size} bytes at ${offset} of ${room}`).to.equal(true);
        }
      });

      for (const [size, offset, room] of [
        [6, 0, 5],
        [5, 1, 5],
        [1, 5, 5],
        [70_000, 0, 69_999],
      ] as const) {
        it(`rejects with BufferTooShort and the message for ${size} bytes at ${offset} of ${room} (${kind}, ${mode})`, async () => {
          const { reader, writer } = makePair(kind);
          const input = via(mode, reader);
          const message = pattern(size, 2);
          // Both fit a socket's buffer. For a pipe the Sync receive itself writes the rest.
          void writer.sendBytes(message);
          void writer.sendBytes(Buffer.from('next'));
          const buffer = Buffer.alloc(room, 0xee);
          const error = await rejects(input.recvBytesInto(buffer, offset), {
            code: 'ERR_MP_BUFFER_TOO_SHORT',
            name: 'BufferTooShort',
          });
          expect(instance(error, BufferTooShort).bytes.equals(message)).to.equal(true);
          expect(buffer.equals(Buffer.alloc(room, 0xee))).to.equal(true);
          expect((await input.recvBytes()).toString()).to.equal('next');
        });
      }

      it(`counts offsets in bytes in any kind of memory (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        const memory = new ArrayBuffer(64);
        const message = Buffer.from('0123456789');
        const targets = [
          new Float64Array(memory, 16, 3),
          new DataView(memory, 16, 24),
          new Uint16Array(memory, 16, 12),
        ];
        for (const target of targets) {
          new Uint8Array(memory).fill(0);
          await writer.sendBytes(message);
          expect(await via(mode, reader).recvBytesInto(target, 3)).to.equal(10);
          expect(Buffer.from(memory, 19, 10).equals(message)).to.equal(true);
          expect(Buffer.from(memory, 0, 19).equals(Buffer.alloc(19))).to.equal(true);
        }
        const shared = new SharedArrayBuffer(16);
        await writer.sendBytes(message);
        expect(await via(mode, reader).recvBytesInto(shared, 6)).to.equal(10);
        expect(Buffer.from(shared, 6, 10).equals(message)).to.equal(true);
      });
    }
  }
});
