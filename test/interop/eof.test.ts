// SPDX-License-Identifier: MIT
//
// What each side sees when the other side ends. The kernel counts the copies of a descriptor in all processes, so each
// rule has two halves: nothing happens while any copy is open, and it happens when the last copy is closed.
import { expect } from 'chai';

import {
  frame,
  header,
  kinds,
  makePair,
  modes,
  rejects,
  somePeers,
  spawnPeer,
  startSink,
  startSource,
  startTalk,
  via,
  within,
  writeRaw,
} from '../helpers/index.js';

describe('The end of data between processes', () => {
  for (const language of somePeers()) {
    for (const kind of kinds) {
      for (const mode of modes) {
        it(`is an EOFError after the peer's last message, and at every later receive (${language.label}, ${kind}, ${mode})`, async () => {
          const { peer, reader } = startSource(language, kind, 'source', { args: ['0', '5'] });
          const input = via(mode, reader);
          expect((await input.recvBytes()).length).to.equal(0);
          expect((await input.recvBytes()).length).to.equal(5);
          await rejects(input.recvBytes(), { code: 'ERR_MP_EOF', name: 'EOFError' });
          await rejects(input.recv(), { code: 'ERR_MP_EOF' });
          expect(await input.poll()).to.equal(true);
          await peer.succeeded();
        });
      }

      it(`is seen by the peer when the last copy here is closed, not before (${language.label}, ${kind})`, async () => {
        const { peer, writer } = startSink(language, kind);
        const copy = writer.dup();
        await writer.sendBytes(Buffer.from('one'));
        writer.close();
        await copy.sendBytes(Buffer.from('two'));
        copy.close();
        const lines = (await peer.succeeded()).trim().split('\n');
        expect(lines.map((line) => line.split(' ')[0])).to.deep.equal(['3', '3', 'EOFError']);
      });

      it(`is seen only when another process' copy is closed as well (${language.label}, ${kind})`, async () => {
        const { reader, writer } = makePair(kind);
        const peer = spawnPeer(language.program(), {
          fds: [writer],
          keep: true,
          args: ['hold', kind === 'pipe' ? 'writer' : 'duplex'],
        });
        expect(await peer.line()).to.equal('ready');
        writer.close();
        // The peer holds the only copy now and has sent nothing, so the wait must last its whole time.
        expect(await reader.poll(50)).to.equal(false);
        await rejects(reader.recvBytes(undefined, { timeout: 50 }), { code: 'ERR_MP_TIMEOUT' });
        const received = reader.recvBytes();
        await peer.release();
        await rejects(within(10_000, received, 'EOF after the peer closed its copy'), { code: 'ERR_MP_EOF' });
        await peer.succeeded();
      });

      for (const mode of modes) {
        it(`is EPIPE for a send, never a signal (${language.label}, ${kind}, ${mode})`, async () => {
          const { peer, writer } = startSink(language, kind, 'hold');
          await peer.line();
          peer.kill();
          expect(await peer.exit).to.deep.equal({ code: null, signal: 'SIGKILL' });
          for (const message of [Buffer.alloc(0), Buffer.alloc(10), Buffer.alloc(1024 * 1024)]) {
            await rejects(via(mode, writer).sendBytes(message), { code: 'EPIPE', syscall: 'write' });
          }
        });
      }
    }

    for (const mode of modes) {
      it(`is ECONNRESET if the peer ends with unread data (${language.label}, ${mode})`, async () => {
        const { peer, writer: ours } = startTalk(language, 'socketpair', 'reset');
        await ours.sendBytes(Buffer.from('never read'));
        await peer.succeeded();
        await rejects(via(mode, ours).recvBytes(), { code: 'ECONNRESET', syscall: 'read' });
      });
    }
  }
});

describe('The end of data inside a message', () => {
  const short = frame('abc');
  const long = frame('abc', true);
  for (const kind of kinds) {
    for (const mode of modes) {
      for (const readAhead of [true, false]) {
        for (const [form, bytes, headerBytes] of [['4', short, 4] as const, ['12', long, 12] as const]) {
          it(`is a TruncatedMessageError after each byte of a message with a ${form}-byte header (${kind}, ${mode}, readAhead ${readAhead})`, async () => {
            for (let cut = 1; cut < bytes.length; cut++) {
              const { reader, writer } = makePair(kind, { readAhead });
              writeRaw(writer, bytes.subarray(0, cut));
              writer.close();
              const inHeader = cut < headerBytes;
              // Before the fourth byte, the length of the header itself is not known.
              const expected = inHeader ? (cut < 4 ? 4 : headerBytes) : 3;
              const received = inHeader ? cut : cut - headerBytes;
              await rejects(via(mode, reader).recvBytes(), {
                code: 'ERR_MP_TRUNCATED',
                name: 'TruncatedMessageError',
                received,
                expected,
              });
              await rejects(via(mode, reader).recvBytes(), { code: 'ERR_MP_EOF' });
              reader.close();
            }
          });
        }

        it(`is a TruncatedMessageError inside a large message (${kind}, ${mode}, readAhead ${readAhead})`, async () => {
          const { reader, writer } = makePair(kind, { readAhead });
          writeRaw(writer, Buffer.concat([header(200_000), Buffer.alloc(1000)]));
          writer.close();
          await rejects(via(mode, reader).recvBytes(), { code: 'ERR_MP_TRUNCATED', received: 1000, expected: 200_000 });
          await rejects(via(mode, reader).recvBytes(), { code: 'ERR_MP_EOF' });
        });
      }
    }
  }
});

describe('The end of data in one process', () => {
  for (const kind of kinds) {
    it(`rejects pending receives with EOFError (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const first = reader.recvBytes();
      const second = reader.recv();
      writer.close();
      await rejects(first, { code: 'ERR_MP_EOF' });
      await rejects(second, { code: 'ERR_MP_EOF' });
    });

    it(`rejects pending sends with EPIPE (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const large = writer.sendBytes(Buffer.alloc(4 * 1024 * 1024));
      const small = writer.sendBytes(Buffer.from('behind it'));
      // Because of what the socket holds unread, a receive gets the reset first; sends see EPIPE in either case.
      reader.close();
      await rejects(large, { code: 'EPIPE' });
      await rejects(small, { code: 'EPIPE' });
    });
  }
});
