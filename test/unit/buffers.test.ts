// SPDX-License-Identifier: MIT
//
// Memory of every kind, and memory that is detached or shrunk during a call.
import { setFlagsFromString } from 'node:v8';

import { expect } from 'chai';
import { BufferTooShort, type Bytes } from 'node-multiprocessing';

import { isDetached } from '../../lib/core/validate.js';
import { instance, kinds, makePair, modes, pattern, rejects, TOO_LONG, turns, via } from '../helpers/index.js';

const MIB = 1024 * 1024;

/** Detaches the memory, as posting it to a worker does. */
function detach(memory: ArrayBuffer): void {
  structuredClone(memory, { transfer: [memory] });
}

/** An ArrayBuffer of its own with these bytes. */
function ownMemory(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

/** Newer than the language version that this project is compiled for. */
const Resizable = ArrayBuffer as unknown as new (
  length: number,
  options: { maxByteLength: number },
) => ArrayBuffer & { resize(length: number): void };

describe('Detached memory', () => {
  // Regression: V8 of Node 20 and 22 reads the length of before in optimised code, and such memory was sent as an empty message.
  it('is known as such by code that V8 has optimised', () => {
    setFlagsFromString('--allow-natives-syntax');
    const detached = (): Uint8Array => {
      const view = new Uint8Array(8);
      detach(view.buffer);
      return view;
    };
    const others = [
      new Uint8Array(8),
      new Uint8Array(0),
      Buffer.from('bytes'),
      new Uint8Array(new Resizable(8, { maxByteLength: 9 })),
    ];
    // eslint-disable-next-line @typescript-eslint/no-implied-eval
    const call = (text: string): unknown => (new Function('f', text) as (f: unknown) => unknown)(isDetached);
    call('%PrepareFunctionForOptimization(f)');
    for (let i = 0; i < 10; i++) for (const view of [...others, detached()]) isDetached(view);
    call('%OptimizeFunctionOnNextCall(f)');
    expect([...others, detached()].map(isDetached)).to.deep.equal([false, false, false, false, true]);
  });
});

describe('sendBytes', () => {
  const bytes = pattern(64);
  const memory = ownMemory(bytes);
  const shared = new SharedArrayBuffer(64);
  Buffer.from(shared).set(bytes);
  const views: [string, Bytes, number, number][] = [
    ['a Buffer', bytes, 0, 64],
    ['a Uint8Array in the middle', new Uint8Array(memory, 8, 40), 8, 40],
    ['a DataView in the middle', new DataView(memory, 8, 40), 8, 40],
    ['a Float64Array in the middle', new Float64Array(memory, 8, 5), 8, 40],
    ['an Int16Array', new Int16Array(memory), 0, 64],
    ['a BigInt64Array', new BigInt64Array(memory), 0, 64],
    ['an ArrayBuffer', memory, 0, 64],
    ['a SharedArrayBuffer', shared, 0, 64],
    ['a Uint8Array on shared memory', new Uint8Array(shared, 3, 30), 3, 30],
  ];
  for (const kind of kinds) {
    for (const mode of modes) {
      for (const [name, view, start, length] of views) {
        it(`sends ${name}, whole and in part, counted in bytes (${kind}, ${mode})`, async () => {
          const { reader, writer } = makePair(kind);
          const output = via(mode, writer);
          const expected = bytes.subarray(start, start + length);
          await output.sendBytes(view);
          await output.sendBytes(view, 3);
          await output.sendBytes(view, 3, 7);
          await output.sendBytes(view, length);
          await output.sendBytes(view, 0, 0);
          for (const [from, to] of [[0], [3], [3, 10], [length], [0, 0]] as [number, number?][]) {
            expect((await reader.recvBytes()).equals(expected.subarray(from, to))).to.equal(true);
          }
        });
      }

      it(`sends a large part of large memory, from an offset (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        const large = pattern(4 * MIB);
        const sent = writer.sendBytes(large, 1001, 3 * MIB);
        expect((await via(mode, reader).recvBytes()).equals(large.subarray(1001, 1001 + 3 * MIB))).to.equal(true);
        await sent;
      });
    }

    it(`has copied a small message when the call returns, even if the message has to wait (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const first = writer.sendBytes(pattern(TOO_LONG));
      const small = Buffer.from('before');
      const second = writer.sendBytes(small);
      small.write('AFTER!');
      const limit = pattern(64 * 1024, 7);
      const third = writer.sendBytes(limit);
      limit.fill(0);
      await reader.recvBytes();
      expect(String(await reader.recvBytes())).to.equal('before');
      expect((await reader.recvBytes()).equals(pattern(64 * 1024, 7))).to.equal(true);
      await Promise.all([first, second, third]);
    });

    it(`refuses memory that was detached before the call, and sends nothing (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const view = new Uint8Array(8);
      detach(view.buffer);
      const lost = { code: 'ERR_INVALID_ARG_TYPE', name: 'TypeError' };
      await rejects(writer.sendBytes(view), lost);
      await rejects(writer.sendBytes(view.buffer), lost);
      await rejects(reader.recvBytesInto(view), lost);
      await writer.sendBytes(new Uint8Array(0));
      expect((await reader.recvBytes()).length).to.equal(0);
    });

    it(`fails, and every later send, if memory is detached inside a message (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const memory = ownMemory(pattern(TOO_LONG));
      const send = writer.sendBytes(memory);
      const behind = writer.sendBytes(Buffer.from('behind'));
      detach(memory);
      const failures = Promise.all([
        rejects(send, { code: 'ERR_INVALID_ARG_TYPE', name: 'TypeError' }),
        rejects(behind, { code: 'ERR_MP_NOT_WRITABLE' }),
      ]);
      const received = reader.recvBytes();
      await failures;
      await rejects(writer.sendBytes(Buffer.from('later')), { code: 'ERR_MP_NOT_WRITABLE' });
      await rejects(via('sync', writer).sendBytes(Buffer.from('later')), { code: 'ERR_MP_NOT_WRITABLE' });
      writer.close();
      await rejects(received, { code: 'ERR_MP_TRUNCATED' });
    });

    it(`fails alone if memory is detached while the message waits behind another (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const first = writer.sendBytes(pattern(TOO_LONG));
      const memory = ownMemory(pattern(MIB, 5));
      const second = writer.sendBytes(memory);
      const third = writer.sendBytes(Buffer.from('third'));
      detach(memory);
      const failure = rejects(second, { code: 'ERR_INVALID_ARG_TYPE' });
      expect((await reader.recvBytes()).equals(pattern(TOO_LONG))).to.equal(true);
      expect(String(await reader.recvBytes())).to.equal('third');
      await failure;
      await Promise.all([first, third]);
    });

    it(`keeps the boundaries of messages if shared memory changes meanwhile (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const shared = new SharedArrayBuffer(MIB);
      const sent = writer.sendBytes(shared);
      Buffer.from(shared).fill(1);
      const next = writer.sendBytes(Buffer.from('next'));
      expect((await reader.recvBytes()).length).to.equal(MIB);
      expect(String(await reader.recvBytes())).to.equal('next');
      await Promise.all([sent, next]);
    });
  }
});

describe('recvBytesInto with memory that changes', () => {
  for (const kind of kinds) {
    for (const size of [0, 10, 200_000]) {
      it(`puts a message of ${size} bytes into the error if the memory was detached meanwhile (${kind})`, async () => {
        const { reader, writer } = makePair(kind);
        const memory = new ArrayBuffer(MIB);
        const received = reader.recvBytesInto(memory);
        const failure = rejects(received, { code: 'ERR_MP_BUFFER_TOO_SHORT' });
        await turns();
        detach(memory);
        await writer.sendBytes(pattern(size));
        expect(instance(await failure, BufferTooShort).bytes.equals(pattern(size))).to.equal(true);
        await writer.sendBytes(Buffer.from('next'));
        expect(String(await reader.recvBytes())).to.equal('next');
      });
    }

    it(`puts the message into the error if the memory has shrunk meanwhile (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const memory = new Resizable(100, { maxByteLength: 100 });
      const failure = rejects(reader.recvBytesInto(new Uint8Array(memory)), { code: 'ERR_MP_BUFFER_TOO_SHORT' });
      await turns();
      memory.resize(4);
      await writer.sendBytes(pattern(10));
      expect(instance(await failure, BufferTooShort).bytes.equals(pattern(10))).to.equal(true);
    });
  }
});
