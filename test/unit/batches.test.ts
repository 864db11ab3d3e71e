// SPDX-License-Identifier: MIT
//
// Many messages at once: what is in a batch, what ends it early, and what is held between two receives.
import { expect } from 'chai';
import {
  attach,
  Connection,
  describe as describeObject,
  Lock,
  Pipe,
  wait,
  type BatchOptions,
} from 'node-multiprocessing';

import {
  kinds,
  makePair,
  modes,
  rejects,
  throws,
  track,
  within,
  writeRaw,
  type AnyConnection,
  type Mode,
} from '../helpers/index.js';
import { RANGE, TYPE } from '../helpers/arguments.js';

const MIB = 1024 * 1024;

async function many(mode: Mode, reader: AnyConnection, max?: number, options?: BatchOptions): Promise<unknown[]> {
  const bytes = options as { bytes: true };
  return mode === 'sync' ? reader.recvManySync(max, bytes) : await reader.recvMany(max, bytes);
}

async function sendAll(writer: AnyConnection, values: readonly unknown[]): Promise<void> {
  await Promise.all(values.map((value) => writer.send(value)));
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

for (const kind of kinds) {
  describe(`Connection.recvMany (${kind})`, () => {
    for (const mode of modes) {
      it(`returns what is there, in order, and at most as many as were asked for (${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        await sendAll(writer, upTo(10));
        expect(await many(mode, reader, 3)).to.deep.equal([0, 1, 2]);
        expect(await many(mode, reader, 1)).to.deep.equal([3]);
        expect(await reader.recv()).to.equal(4);
        expect(reader.recvSync()).to.equal(5);
        expect(reader.tryRecv()).to.deep.equal({ value: 6 });
        expect(await many(mode, reader)).to.deep.equal([7, 8, 9]);
      });

      it(`returns the messages themselves, each in memory of its own (${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        for (const text of ['a', '', 'ccc']) await writer.sendBytes(Buffer.from(text));
        const batch = (await many(mode, reader, undefined, { bytes: true })) as Buffer[];
        expect(batch.map(String)).to.deep.equal(['a', '', 'ccc']);
        const last = batch[2] as Buffer;
        expect(last.buffer.byteLength).to.equal(3);
        structuredClone(last, { transfer: [last.buffer as ArrayBuffer] });
        expect(String(batch[0])).to.equal('a');
      });

      it(`has at most 1 MiB in a batch, unless the first message alone is longer (${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        const sizes = [2 * MIB, 10, 20_000, MIB, 600_000, 500_000, 7, ...upTo(100).map((i) => i * 400)];
        const sent = sizes.map((size, i) => writer.sendBytes(Buffer.alloc(size, i)));
        let at = 0;
        while (at < sizes.length) {
          // The sends need the event loop.
          if (mode === 'sync') while (!(await reader.poll(null)));
          const batch = (await many(mode, reader, undefined, { bytes: true })) as Buffer[];
          const total = batch.reduce((sum, { length }) => sum + length, 0);
          expect(batch.length === 1 || total <= MIB).to.equal(true);
          for (const bytes of batch) {
            expect([bytes.length, bytes.every((byte) => byte === at)]).to.deep.equal([sizes[at], true]);
            at++;
          }
        }
        await Promise.all(sent);
      });

      it(`leaves a message that cannot be decoded to the next receive (${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        await sendAll(writer, [1, 2]);
        await writer.sendBytes(Buffer.from([0xff, 0x0f, 0x7f]));
        await sendAll(writer, [3]);
        expect(await many(mode, reader)).to.deep.equal([1, 2]);
        expect(await reader.poll()).to.equal(true);
        await rejects(reader.recv(), { code: 'ERR_MP_UNPICKLING' });
        expect(await many(mode, reader)).to.deep.equal([3]);
      });

      it(`leaves the end of data, and a message that is too long, to the next receive (${mode})`, async () => {
        const ended = makePair(kind);
        await sendAll(ended.writer, [1, 2]);
        ended.writer.close();
        expect(await many(mode, ended.reader)).to.deep.equal([1, 2]);
        await rejects(many(mode, ended.reader), { code: 'ERR_MP_EOF' });

        const limited = makePair(kind, { maxMessageBytes: 100 });
        await sendAll(limited.writer, [1, 2]);
        await limited.writer.sendBytes(Buffer.alloc(101));
        expect(await many(mode, limited.reader)).to.deep.equal([1, 2]);
        await rejects(many(mode, limited.reader), { code: 'ERR_MP_BAD_MESSAGE_LENGTH' });
        await rejects(limited.reader.recv(), { code: 'ERR_MP_NOT_READABLE' });
      });
    }

    it('waits for the first message only, and keeps the order of the calls', async () => {
      const { reader, writer } = makePair(kind);
      const [first, one, second] = [reader.recvMany(2), reader.recv(), reader.recvMany()];
      await writer.send('a');
      expect(await first).to.deep.equal(['a']);
      await sendAll(writer, ['b', 'c', 'd']);
      expect(await one).to.equal('b');
      expect((await second)[0]).to.equal('c');
    });

    it('ends by its time limit and by its signal, and loses nothing', async () => {
      const { reader, writer } = makePair(kind);
      await rejects(reader.recvMany(2, { timeout: 1 }), { code: 'ERR_MP_TIMEOUT' });
      throws(() => reader.recvManySync(2, { timeout: 1 }), { code: 'ERR_MP_TIMEOUT' });
      const ending = new AbortController();
      const aborted = reader.recvMany(2, { signal: ending.signal });
      ending.abort();
      await rejects(aborted, { code: 'ABORT_ERR' });
      await writer.send(1);
      expect(await reader.recvMany()).to.deep.equal([1]);
    });

    it('hands out parts of one memory with views, which is not written to again', async () => {
      const { reader, writer } = makePair(kind, { views: true });
      const all: Buffer[] = [];
      for (let round = 0; round < 40; round++) {
        for (let i = 0; i < 100; i++) void writer.sendBytes(Buffer.alloc(64, round));
        await writer.sendBytes(Buffer.alloc(64, round));
        for (let i = 0; i <= 100;) {
          const batch = await reader.recvMany(101 - i, { bytes: true });
          i += batch.length;
          all.push(...batch);
        }
      }
      expect(all.map((bytes) => bytes[63])).to.deep.equal(upTo(40 * 101).map((i) => Math.floor(i / 101)));
      expect(all.every((bytes) => Object.getPrototypeOf(bytes) === Buffer.prototype)).to.equal(true);
      expect(new Set(all.map((bytes) => bytes.buffer)).size).to.be.below(all.length / 4);
    });

    it('is iterated over by batches(), until the end of data', async () => {
      const { reader, writer } = makePair(kind);
      await sendAll(writer, upTo(5));
      writer.close();
      const batches: unknown[] = [];
      for await (const batch of reader.batches(2)) batches.push(batch);
      expect(batches).to.deep.equal([[0, 1], [2, 3], [4]]);
    });
  });

  describe(`Messages that were read ahead (${kind})`, () => {
    it('stay in order when two connections are read in turn', async () => {
      const pairs = [makePair(kind), makePair(kind)];
      for (const [i, { writer }] of pairs.entries())
        await sendAll(
          writer,
          upTo(50).map((n) => [i, n]),
        );
      for (let n = 0; n < 50; n++) {
        for (const [i, { reader }] of pairs.entries()) expect(await reader.recv()).to.deep.equal([i, n]);
      }
    });

    it('are refused if they are longer than the receive accepts', async () => {
      const { reader, writer } = makePair(kind);
      for (const size of [1, 5]) await writer.sendBytes(Buffer.alloc(size));
      await reader.recvBytes();
      await rejects(reader.recvBytes(4), { code: 'ERR_MP_BAD_MESSAGE_LENGTH' });
    });

    it('count as ready, also for the part of the stream behind a message in part', async () => {
      const { reader, writer } = makePair(kind);
      writeRaw(writer, Buffer.from([0, 0, 0, 1, 7, 0, 0, 0, 1, 8, 0, 0, 0, 2, 9]));
      expect([...(await reader.recvBytes())]).to.deep.equal([7]);
      expect(reader.pollSync()).to.equal(true);
      expect([...reader.recvBytesSync()]).to.deep.equal([8]);
      expect(reader.pollSync()).to.equal(false);
      expect(reader.tryRecvBytes()).to.equal(undefined);
      writeRaw(writer, Buffer.from([10]));
      expect([...(await reader.recvBytes())]).to.deep.equal([9, 10]);
    });
  });
}

describe('Connection.recvMany', () => {
  it('leaves an object that has descriptors to the next receive, in its place', async () => {
    const [reader, writer] = Pipe().map((end) => track(end)) as [Connection, Connection];
    const [inner, kept] = Pipe().map((end) => track(end)) as [Connection, Connection];
    await sendAll(writer, [1, { inner }, 2]);
    expect(await reader.recvMany()).to.deep.equal([1]);
    const { inner: received } = (await reader.recv()) as { inner: Connection };
    await track(received).send('through it');
    expect(await kept.recv()).to.equal('through it');
    expect(await reader.recvMany()).to.deep.equal([2]);
  });

  it('leaves an object without descriptors to the next receive, and poll and wait know of it', async () => {
    // Regression: poll and wait did not end.
    const [reader, writer] = Pipe().map((end) => track(end)) as [Connection, Connection];
    const lock = new Lock();
    await sendAll(writer, [1, lock]);
    expect(await reader.recvMany()).to.deep.equal([1]);
    expect(reader.pollSync()).to.equal(true);
    expect(await within(30_000, reader.poll(null), 'poll')).to.equal(true);
    expect(await within(30_000, wait([reader]), 'wait')).to.deep.equal([reader]);
    const received = (await reader.recv()) as Lock;
    expect(await reader.poll()).to.equal(false);
    for (const each of [received, lock]) each.close();
  });

  it('leaves an object in a Connection that cannot be passed on before it is received', async () => {
    // Regression: the object was lost.
    const [reader, writer] = Pipe().map((end) => track(end)) as [Connection, Connection];
    const lock = new Lock();
    await sendAll(writer, [1, lock, 2]);
    expect(await reader.recvMany()).to.deep.equal([1]);
    throws(() => describeObject(reader), { code: 'ERR_MP_BUSY' });
    ((await reader.recv()) as Lock).close();
    lock.close();
    const passed = track(attach(describeObject(reader)) as Connection);
    expect(await passed.recv()).to.equal(2);
  });

  it('leaves a descriptor behind messages to recvHandle', async () => {
    const [reader, writer] = Pipe().map((end) => track(end)) as [Connection, Connection];
    const [passed] = Pipe().map((end) => track(end)) as [Connection, Connection];
    await sendAll(writer, [1, 2]);
    await writer.sendHandle(passed.fileno());
    await writer.send(3);
    expect(await reader.recvMany(1)).to.deep.equal([1]);
    expect(await reader.recv()).to.equal(2);
    track(Connection.fromFd(await reader.recvHandle())).close();
    expect(await reader.recvMany()).to.deep.equal([3]);
  });

  it('checks its arguments', async () => {
    const [end] = Pipe().map((one) => track(one)) as [Connection, Connection];
    for (const max of [0, -1, 1.5]) await rejects(end.recvMany(max), { code: RANGE });
    await rejects(end.recvMany('1' as never), { code: TYPE });
    await rejects(end.recvMany(1, { bytes: 1 } as never), { code: TYPE });
    throws(() => end.recvManySync(0), { code: RANGE });
    throws(() => end.batches(0), { code: RANGE });
    throws(() => Pipe(true, { views: 1 } as never), { code: TYPE });
  });
});
