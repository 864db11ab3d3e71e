// SPDX-License-Identifier: MIT
import { fstatSync } from 'node:fs';

import { expect } from 'chai';
import { Connection, Pipe, wait } from 'node-multiprocessing';

import { kinds, makePair, modes, pattern, rejects, throws, track, turns, via } from '../helpers/index.js';

const MIB = 1024 * 1024;

describe('close', () => {
  for (const kind of kinds) {
    it(`${kind}: rejects every pending receive and wait with ClosedError`, async () => {
      const { reader } = makePair(kind);
      const pending: Promise<unknown>[] = [
        reader.recv(),
        reader.recvBytes(),
        reader.recvBytesInto(Buffer.alloc(1)),
        reader.recvBytes(undefined, { timeout: 60_000 }),
        reader.poll(null),
        wait([reader]),
      ];
      reader.close();
      for (const promise of pending) await rejects(promise, { code: 'ERR_MP_CLOSED', name: 'ClosedError' });
    });

    it(`${kind}: writes what was sent before the descriptor is closed`, async () => {
      const { reader, writer } = makePair(kind);
      const sends = [
        writer.sendBytes(pattern(MIB, 1)),
        writer.sendBytes(pattern(10, 2)),
        writer.sendBytes(pattern(MIB, 3)),
      ];
      writer.close();
      expect(writer.closed).to.equal(true);
      expect((await reader.recvBytes()).equals(pattern(MIB, 1))).to.equal(true);
      expect((await reader.recvBytes()).equals(pattern(10, 2))).to.equal(true);
      expect((await reader.recvBytes()).equals(pattern(MIB, 3))).to.equal(true);
      await Promise.all(sends);
      await rejects(reader.recvBytes(), { code: 'ERR_MP_EOF' });
    });

    it(`${kind}: with discard drops what was not written, and cuts off what was written in part`, async () => {
      const { reader, writer } = makePair(kind);
      const sends = [writer.sendBytes(pattern(4 * MIB)), writer.sendBytes(Buffer.from('behind'))];
      writer.close({ discard: true });
      for (const send of sends) await rejects(send, { code: 'ERR_MP_CLOSED' });
      await rejects(reader.recvBytes(), { code: 'ERR_MP_TRUNCATED', expected: 4 * MIB });
    });

    it(`${kind}: twice changes nothing, even when the number is in use again`, () => {
      const { reader, writer } = makePair(kind);
      const fd = reader.fileno();
      reader.close();
      const [next] = Pipe(false).map(track);
      expect(next?.fileno()).to.equal(fd);
      reader.close();
      reader.close({ discard: true });
      expect(fstatSync(fd).isFIFO()).to.equal(true);
      writer.close();
    });

    for (const mode of modes) {
      it(`${kind}, ${mode}: every later call is a ClosedError`, async () => {
        const { reader, writer } = makePair(kind);
        reader.close();
        writer.close();
        const input = via(mode, reader);
        const output = via(mode, writer);
        for (const promise of [
          input.recv(),
          input.recvBytes(),
          input.recvBytesInto(Buffer.alloc(1)),
          input.poll(),
          input.recvHandle(),
          output.send(1),
          output.sendBytes(Buffer.alloc(1)),
          output.sendHandle(0),
          wait([reader]),
        ]) {
          await rejects(promise, { code: 'ERR_MP_CLOSED' });
        }
        for (const call of [
          () => reader.fileno(),
          () => reader.tryRecv(),
          () => reader.tryRecvBytes(),
          () => reader.dup(),
        ]) {
          throws(call, { code: 'ERR_MP_CLOSED' });
        }
        expect(reader.closed).to.equal(true);
      });
    }
  }
});

describe('dup', () => {
  for (const kind of kinds) {
    it(`${kind}: the descriptor is closed with the last of its Connections`, async () => {
      const { reader, writer } = makePair(kind);
      const second = writer.dup();
      const third = second.dup();
      expect(second.fileno()).to.equal(writer.fileno());
      expect([second.readable, second.writable]).to.deep.equal([writer.readable, writer.writable]);
      writer.close();
      second.close();
      await third.sendBytes(Buffer.from('still open'));
      expect(String(await reader.recvBytes())).to.equal('still open');
      const fd = third.fileno();
      third.close();
      expect(() => fstatSync(fd)).to.throw('EBADF');
      await rejects(reader.recvBytes(), { code: 'ERR_MP_EOF' });
    });

    it(`${kind}: closing one rejects its own receives only`, async () => {
      const { reader, writer } = makePair(kind);
      const copy = reader.dup();
      const its = copy.recvBytes();
      const ours = reader.recvBytes();
      copy.close();
      await rejects(its, { code: 'ERR_MP_CLOSED' });
      await writer.sendBytes(Buffer.from('x'));
      expect(String(await ours)).to.equal('x');
    });
  }
});

describe('dispose', () => {
  it('Symbol.dispose closes', () => {
    const { reader } = makePair('pipe');
    reader[Symbol.dispose]();
    expect(reader.closed).to.equal(true);
    reader[Symbol.dispose]();
  });

  for (const kind of kinds) {
    it(`${kind}: Symbol.asyncDispose closes, and resolves when what was sent is written`, async () => {
      const { reader, writer } = makePair(kind);
      let written = false;
      const sent = writer.sendBytes(pattern(MIB)).then(() => (written = true));
      const disposed = writer[Symbol.asyncDispose]().then(() => written);
      expect(writer.closed).to.equal(true);
      await turns();
      expect(written).to.equal(false);
      expect((await reader.recvBytes()).equals(pattern(MIB))).to.equal(true);
      await sent;
      await disposed;
      await writer[Symbol.asyncDispose]();
    });
  }
});

describe('async iteration', () => {
  for (const kind of kinds) {
    it(`${kind}: yields every object and ends at the end of data`, async () => {
      const { reader, writer } = makePair(kind);
      for (const value of [1, 'two', { three: 3 }]) await writer.send(value);
      writer.close();
      const values: unknown[] = [];
      for await (const value of reader) values.push(value);
      expect(values).to.deep.equal([1, 'two', { three: 3 }]);
    });

    it(`${kind}: leaving the loop loses nothing and closes nothing`, async () => {
      const { reader, writer } = makePair(kind);
      for (let i = 0; i < 6; i++) await writer.send(i);
      for await (const value of reader) if (value === 1) break;
      expect(reader.closed).to.equal(false);
      expect(await reader.recv()).to.equal(2);
      const seen: unknown[] = [];
      await rejects(
        (async () => {
          for await (const value of reader) {
            seen.push(value);
            if (value === 4) throw Object.assign(new Error('from the body'), { code: 'BODY' });
          }
        })(),
        { code: 'BODY' },
      );
      expect(seen).to.deep.equal([3, 4]);
      expect(await reader.recv()).to.equal(5);
    });

    it(`${kind}: a failure other than the end of data comes out of the loop`, async () => {
      const { reader, writer } = makePair(kind);
      await writer.sendBytes(Buffer.from([0xff, 0]));
      await rejects(
        (async () => {
          for await (const value of reader) expect.fail(String(value));
        })(),
        { code: 'ERR_MP_UNPICKLING' },
      );
    });
  }
});

describe('a Connection', () => {
  it('says what it can do', () => {
    const { reader, writer } = makePair('pipe');
    expect([reader.readable, reader.writable, reader.closed]).to.deep.equal([true, false, false]);
    expect([writer.readable, writer.writable, writer.closed]).to.deep.equal([false, true, false]);
    const { reader: duplex } = makePair('socketpair');
    expect([duplex.readable, duplex.writable]).to.deep.equal([true, true]);
  });

  it('has the three methods that CPython spells differently, which follow the originals', async () => {
    class Counting extends (Connection as unknown as new (...args: unknown[]) => Connection) {}
    expect(() => new Counting()).to.throw(TypeError);
    const { reader, writer } = makePair('pipe');
    await writer.send_bytes(Buffer.from('xabcx'), 1, 3);
    expect(String(await reader.recv_bytes(3))).to.equal('abc');
    await writer.send_bytes(Buffer.from('de'));
    const into = Buffer.alloc(4);
    expect(await reader.recv_bytes_into(into, 2)).to.equal(2);
    expect(into.toString('latin1')).to.equal('\0\0de');
    await rejects(reader.recv_bytes(-1), { code: 'ERR_OUT_OF_RANGE' });
  });

  it('is not constructed by users', () => {
    throws(() => new (Connection as unknown as new (fd: number) => Connection)(3), { code: 'ERR_INVALID_ARG_TYPE' });
  });
});
