// SPDX-License-Identifier: MIT
//
// CPython's own tests of poll and wait, from Lib/test/_test_multiprocessing.py, against each peer. The titles begin
// with their names.
import { expect } from 'chai';
import { wait, waitSync, type Waitable } from 'node-multiprocessing';

import {
  copyFd,
  fewPeers,
  frame,
  header,
  kinds,
  makePair,
  modes,
  pattern,
  rejects,
  somePeers,
  spawnPeer,
  startSink,
  startSource,
  startTalk,
  via,
  writeRaw,
  type AnyConnection,
  type Mode,
} from '../helpers/index.js';

const waitVia = async (mode: Mode, objects: readonly Waitable[], timeout?: number): Promise<Waitable[]> =>
  mode === 'sync' ? waitSync(objects, timeout) : await wait(objects, timeout);

describe('_TestPoll', () => {
  for (const language of somePeers()) {
    for (const kind of kinds) {
      for (const mode of modes) {
        it(`test_empty_string polls true for an empty message until it is received (${language.label}, ${kind}, ${mode})`, async () => {
          const { peer, reader, writer } = startTalk(language, kind, 'echo');
          const input = via(mode, reader);
          expect(await input.poll()).to.equal(false);
          await writer.sendBytes(Buffer.alloc(0));
          expect(await input.poll(60_000)).to.equal(true);
          expect(await input.poll()).to.equal(true);
          expect((await input.recvBytes()).length).to.equal(0);
          expect(await input.poll()).to.equal(false);
          writer.close();
          await peer.succeeded();
        });

        it(`test_strings keeps order and boundaries under short polls (${language.label}, ${kind}, ${mode})`, async () => {
          const { peer, reader, writer } = startTalk(language, kind, 'echo');
          const input = via(mode, reader);
          const strings = ['hello', '', 'a', 'b', '', 'bye', '', 'lop'];
          for (const text of strings) await via(mode, writer).sendBytes(Buffer.from(text));
          for (const text of strings) {
            while (!(await input.poll(10)));
            expect(String(await input.recvBytes())).to.equal(text);
          }
          writer.close();
          await peer.succeeded();
        });

        it(`test_dont_merge keeps three messages apart (${language.label}, ${kind}, ${mode})`, async () => {
          const { peer, reader } = startSource(language, kind, 'source', { args: ['1', '2', '3'] });
          const input = via(mode, reader);
          for (let seed = 0; seed < 3; seed++) {
            expect(await input.poll(60_000)).to.equal(true);
            expect(await input.poll()).to.equal(true);
            expect((await input.recvBytes()).equals(pattern(seed + 1, seed))).to.equal(true);
          }
          await rejects(input.recvBytes(), { code: 'ERR_MP_EOF' });
          await peer.succeeded();
        });
      }

      it(`test_boundaries consumes no byte by a poll in another process (${language.label}, ${kind})`, async () => {
        const { reader, writer } = makePair(kind, { readAhead: false });
        const peer = spawnPeer(language.program(), {
          fds: [reader],
          keep: true,
          args: ['poll', kind === 'pipe' ? 'reader' : 'duplex'],
        });
        expect(await peer.line()).to.equal('ready');
        await writer.sendBytes(Buffer.from('first'));
        await writer.sendBytes(Buffer.from('second'));
        writer.close();
        expect(await peer.line()).to.equal('True');
        await peer.succeeded();
        expect(String(await reader.recvBytes())).to.equal('first');
        expect(String(await reader.recvBytes())).to.equal('second');
        await rejects(reader.recvBytes(), { code: 'ERR_MP_EOF' });
      });

      it(`test_boundaries consumes no byte of another process by a poll here (${language.label}, ${kind})`, async () => {
        const { peer, writer } = startSink(language, kind);
        const { reader: other, writer: otherWriter } = makePair(kind);
        await otherWriter.sendBytes(Buffer.from('x'));
        expect(await other.poll(null)).to.equal(true);
        await writer.sendBytes(pattern(5));
        writer.close();
        expect(await peer.succeeded()).to.match(/^5 [0-9a-f]{64}\nEOFError\n$/);
      });
    }
  }
});

/** Takes a message from every ready Connection until all have ended. Returns the number of messages of each. */
async function drain(mode: Mode, readers: readonly AnyConnection[]): Promise<Map<AnyConnection, number>> {
  const counts = new Map(readers.map((reader) => [reader, 0]));
  const open = new Set(readers);
  while (open.size > 0) {
    for (const ready of (await waitVia(mode, [...open])) as AnyConnection[]) {
      try {
        const message = await via(mode, ready).recvBytes();
        const seed = counts.get(ready) ?? 0;
        expect(message.equals(pattern(seed + 1, seed))).to.equal(true);
        counts.set(ready, seed + 1);
      } catch (error) {
        if ((error as { code?: string }).code !== 'ERR_MP_EOF') throw error;
        open.delete(ready);
      }
    }
  }
  return counts;
}

describe('TestWait', () => {
  const TEN = Array.from({ length: 10 }, (_, i) => String(i + 1));

  for (const language of fewPeers()) {
    for (const kind of kinds) {
      for (const mode of modes) {
        it(`test_wait and test_wait_slow take ten messages of each of four peers, then their ends (${language.label}, ${kind}, ${mode})`, async () => {
          const sources = Array.from({ length: 4 }, () => startSource(language, kind, 'source', { args: TEN }));
          const counts = await drain(
            mode,
            sources.map(({ reader }) => reader),
          );
          expect([...counts.values()]).to.deep.equal([10, 10, 10, 10]);
          for (const { peer } of sources) await peer.succeeded();
        });

        it(`test_wait_slow takes messages that arrive in pieces (${language.label}, ${kind}, ${mode})`, async () => {
          const { peer, reader } = startSource(language, kind, 'raw');
          const { reader: idle } = makePair(kind);
          const whole = Buffer.concat([frame(pattern(1, 0)), frame(pattern(2, 1), true)]);
          const taken: number[] = [];
          for (const byte of whole) {
            peer.tell(Buffer.of(byte).toString('hex'));
            expect(await peer.line()).to.equal('ok');
            // Part of a message counts as readable, here as in CPython, unless it was read into memory already.
            const message = (await reader.poll()) ? reader.tryRecvBytes() : undefined;
            if (message !== undefined) taken.push(message.length);
          }
          expect(taken).to.deep.equal([1, 2]);
          await peer.release();
          await peer.succeeded();
          expect(await waitVia(mode, [idle, reader], 60_000)).to.have.ordered.members([reader]);
        });

        it(`test_wait_socket waits for plain descriptors (${language.label}, ${kind}, ${mode})`, async () => {
          const { peer, reader } = startSource(language, kind, 'source', { args: ['5'] });
          const fd = copyFd(reader);
          reader.close();
          const { reader: idle } = makePair(kind);
          expect(await waitVia(mode, [idle, fd])).to.deep.equal([fd]);
          await peer.succeeded();
          expect(await waitVia(mode, [fd, idle])).to.deep.equal([fd]);
        });

        it(`test_wait_timeout returns [] after the timeout (${language.label}, ${kind}, ${mode})`, async () => {
          const { reader: a, writer: toA } = makePair(kind);
          const { reader: b } = makePair(kind);
          const before = performance.now();
          expect(await waitVia(mode, [a, b], 100)).to.deep.equal([]);
          expect(performance.now() - before).to.be.at.least(100);
          await toA.send(null);
          expect(await waitVia(mode, [a, b], 60_000)).to.have.ordered.members([a]);
        });

        it(`test_wait_integer waits for the end of a process by its descriptor (${language.label}, ${kind}, ${mode})`, async () => {
          const { reader: sentinel, writer: held } = makePair('pipe');
          const peer = spawnPeer(language.program(), { fds: [held], args: ['hold', 'writer'] });
          const fd = copyFd(sentinel);
          await peer.line();
          const { reader: a, writer: toA } = makePair(kind);
          const { reader: b, writer: toB } = makePair(kind);
          expect(await waitVia(mode, [a, fd, b], 20)).to.deep.equal([]);
          await peer.release();
          expect(await waitVia(mode, [a, fd, b], 60_000)).to.deep.equal([fd]);
          await peer.succeeded();
          await toA.send(null);
          expect(await waitVia(mode, [a, fd, b], 60_000)).to.have.ordered.members([a, fd]);
          await toB.send(null);
          expect(await waitVia(mode, [a, fd, b], 60_000)).to.have.ordered.members([a, fd, b]);
        });

        it(`test_neg_timeout returns [] at once (${language.label}, ${kind}, ${mode})`, async () => {
          const { reader } = makePair(kind);
          expect(await waitVia(mode, [reader], -1)).to.deep.equal([]);
        });
      }
    }
  }

  for (const kind of kinds) {
    it(`waits for the rest of a large message without spinning, and sees its end (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const message = pattern(150_000);
      writeRaw(writer, Buffer.concat([header(message.length), message.subarray(0, 30_000)]));
      await rejects(reader.recvBytes(undefined, { timeout: 5 }), { code: 'ERR_MP_TIMEOUT' });
      expect(await wait([reader], 20)).to.deep.equal([]);
      const ready = wait([reader], 60_000);
      writeRaw(writer, message.subarray(30_000, 80_000));
      expect(await ready).to.have.ordered.members([reader]);
      expect(reader.tryRecvBytes()).to.equal(undefined);
      writeRaw(writer, message.subarray(80_000, 130_000));
      expect(reader.tryRecvBytes()).to.equal(undefined);
      writeRaw(writer, message.subarray(130_000));
      expect((await reader.recvBytes()).equals(message)).to.equal(true);
    });
  }
});
