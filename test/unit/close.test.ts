// SPDX-License-Identifier: MIT
import { fstatSync } from 'node:fs';

import { expect } from 'chai';
import { Connection, Pipe, wait } from 'node-multiprocessing';

import { kinds, makePair, modes, pattern, rejects, throws, TOO_LONG, track, turns, via } from '../helpers/index.js';

describe('Connection.close', () => {
  for (const kind of kinds) {
    it(`rejects every pending receive and wait with ClosedError (${kind})`, async () => {
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

    it(`writes what was sent, and then closes the descriptor (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const sends = [
        writer.sendBytes(pattern(TOO_LONG, 1)),
        writer.sendBytes(pattern(10, 2)),
        writer.sendBytes(pattern(TOO_LONG, 3)),
      ];
      writer.close();
      expect(writer.closed).to.equal(true);
      expect((await reader.recvBytes()).equals(pattern(TOO_LONG, 1))).to.equal(true);
      expect((await reader.recvBytes()).equals(pattern(10, 2))).to.equal(true);
      expect((await reader.recvBytes()).equals(pattern(TOO_LONG, 3))).to.equal(true);
      await Promise.all(sends);
      await rejects(reader.recvBytes(), { code: 'ERR_MP_EOF' });
    });

    it(`with discard drops unwritten messages, and cuts off partly written ones (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const sends = [writer.sendBytes(pattern(TOO_LONG)), writer.sendBytes(Buffer.from('behind'))];
      writer.close({ discard: true });
      for (const send of sends) await rejects(send, { code: 'ERR_MP_CLOSED' });
      await rejects(reader.recvBytes(), { code: 'ERR_MP_TRUNCATED', expected: TOO_LONG });
    });

    it(`has no effect the second time, even when the number is in use again (${kind})`, () => {
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
      it(`makes every later call fail with ClosedError (${kind}, ${mode})`, async () => {
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

describe('Connection.dup', () => {
  for (const kind of kinds) {
    it(`keeps the descriptor open until the last copy is closed (${kind})`, async () => {
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

    it(`makes a copy whose close rejects only its own receives (${kind})`, async () => {
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

describe('Disposing a Connection', () => {
  it('closes it with Symbol.dispose', () => {
    const { reader } = makePair('pipe');
    reader[Symbol.dispose]();
    expect(reader.closed).to.equal(true);
    reader[Symbol.dispose]();
  });

  for (const kind of kinds) {
    it(`closes it with Symbol.asyncDispose, which resolves when what was sent is written (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      let written = false;
      const sent = writer.sendBytes(pattern(TOO_LONG)).then(() => (written = true));
      const disposed = writer[Symbol.asyncDispose]().then(() => written);
      expect(writer.closed).to.equal(true);
      await turns();
      expect(written).to.equal(false);
      expect((await reader.recvBytes()).equals(pattern(TOO_LONG))).to.equal(true);
      await sent;
      await disposed;
      await writer[Symbol.asyncDispose]();
    });
  }
});

describe('Iterating over a Connection', () => {
  for (const kind of kinds) {
    it(`yields every object and ends at the end of data (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      for (const value of [1, 'two', { three: 3 }]) await writer.send(value);
      writer.close();
      const values: unknown[] = [];
      for await (const value of reader) values.push(value);
      expect(values).to.deep.equal([1, 'two', { three: 3 }]);
    });

    it(`loses nothing and closes nothing when the loop is left (${kind})`, async () => {
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

    it(`throws every failure except for the end of data (${kind})`, async () => {
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

describe('A Connection', () => {
  it('shows what it can do', () => {
    const { reader, writer } = makePair('pipe');
    expect([reader.readable, reader.writable, reader.closed]).to.deep.equal([true, false, false]);
    expect([writer.readable, writer.writable, writer.closed]).to.deep.equal([false, true, false]);
    const { reader: duplex } = makePair('socketpair');
    expect([duplex.readable, duplex.writable]).to.deep.equal([true, true]);
  });

  it("has the three methods in CPython's spelling, which delegate to the originals", async () => {
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

  it('cannot be constructed by users', () => {
    throws(() => new (Connection as unknown as new (fd: number) => Connection)(3), { code: 'ERR_INVALID_ARG_TYPE' });
  });
});
