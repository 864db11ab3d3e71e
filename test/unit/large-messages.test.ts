// SPDX-License-Identifier: MIT
//
// The memory of messages: received Buffers own theirs at every size, and recvBytesInto reads straight into the caller's.
import { writeSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { expect } from 'chai';
import { Pipe, Queue, type Connection } from 'node-multiprocessing';

import { kinds, makePair, modes, pattern, rejects, track, via } from '../helpers/index.js';

/** Around every size at which the way of a message changes. */
const SIZES = [0, 1, 3, 64, 4095, 4096, 8192, 16_384, 16_385, 65_535, 65_536, 131_071, 131_072, 1_048_576, 5_000_000];

function expectTransferable(bytes: Buffer, expected: Buffer): void {
  expect(bytes.equals(expected)).to.equal(true);
  const { buffer } = bytes;
  const moved = structuredClone(bytes, { transfer: [buffer as ArrayBuffer] });
  expect(Buffer.from(moved).equals(expected)).to.equal(true);
  expect(bytes.length).to.equal(0);
}

describe('A received Buffer', function () {
  for (const serialization of ['structured', 'pickle'] as const) {
    for (const mode of modes) {
      it(`can be transferred at every size, and shares its memory with nothing (${serialization}, ${mode})`, async function () {
        const [reader, writer] = Pipe(false, { serialization });
        track(reader);
        track(writer);
        const input = via(mode, reader as Connection<never, Buffer>);
        for (const size of SIZES) {
          const message = pattern(size, 5);
          const sent = [writer.sendBytes(message), writer.sendBytes(message), writer.send(message)];
          const first = await input.recvBytes();
          const second = await input.recvBytes();
          const third = (await input.recv()) as Buffer;
          await Promise.all(sent);
          expectTransferable(first, message);
          expectTransferable(third, message);
          // The transfers have emptied nothing else.
          expectTransferable(second, message);
        }
      });
    }
  }

  it('can be transferred from the error of a receive, from tryRecvBytes and from a queue', async function () {
    const { reader, writer } = makePair('pipe');
    const message = pattern(10, 1);
    await writer.sendBytes(message);
    const error = await rejects(reader.recvBytesInto(Buffer.alloc(9)), { code: 'ERR_MP_BUFFER_TOO_SHORT' });
    expectTransferable((error as unknown as { bytes: Buffer }).bytes, message);
    await writer.sendBytes(message);
    expectTransferable(reader.tryRecvBytes()!, message);
    const queue = new Queue<Buffer>();
    await queue.put(message);
    expectTransferable(await queue.get(), message);
    queue.close();
  });
});

/** So much fits into a pipe at once. */
const HALF = 40_000;
const WHOLE = 2 * HALF;

/** Writes the beginning of a message by hand, and resolves when it has come into `target`. */
async function begin(writer: Connection, message: Buffer, target: Buffer): Promise<void> {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(message.length);
  writeSync(writer.fileno(), Buffer.concat([header, message.subarray(0, HALF)]));
  while (!target.subarray(0, HALF).equals(message.subarray(0, HALF))) await nextTurn();
}

function finish(writer: Connection, message: Buffer): void {
  writeSync(writer.fileno(), message.subarray(HALF));
}

describe('recvBytesInto of a message that arrives in parts', function () {
  for (const kind of kinds) {
    it(`reads straight into the memory (${kind})`, async function () {
      const { reader, writer } = makePair(kind);
      const message = pattern(WHOLE, 3);
      const target = Buffer.alloc(WHOLE + 5);
      const received = reader.recvBytesInto(target, 5);
      await begin(writer, message, target.subarray(5));
      finish(writer, message);
      expect(await received).to.equal(WHOLE);
      expect(target.subarray(5).equals(message)).to.equal(true);
      expect(target.subarray(0, 5).equals(Buffer.alloc(5))).to.equal(true);
    });

    for (const end of ['abort', 'timeout', 'close'] as const) {
      it(`keeps what has come when it ends by ${end}, for the next receive (${kind})`, async function () {
        const { reader, writer } = makePair(kind);
        const other = track(reader.dup());
        const message = pattern(WHOLE, 4);
        const target = Buffer.alloc(WHOLE);
        const controller = new AbortController();
        const limits = end === 'abort' ? { signal: controller.signal } : end === 'timeout' ? { timeout: 200 } : {};
        const code = { abort: 'ABORT_ERR', timeout: 'ERR_MP_TIMEOUT', close: 'ERR_MP_CLOSED' }[end];
        const failed = rejects(reader.recvBytesInto(target, 0, limits), { code });
        await begin(writer, message, target);
        if (end === 'abort') controller.abort();
        if (end === 'close') reader.close();
        await failed;
        // The memory is the caller's again.
        target.fill(0);
        finish(writer, message);
        const second = Buffer.alloc(WHOLE);
        expect(await other.recvBytesInto(second)).to.equal(WHOLE);
        expect(second.equals(message)).to.equal(true);
        expect(target.equals(Buffer.alloc(WHOLE))).to.equal(true);
      });
    }

    for (const late of [false, true]) {
      it(`loses the message, and no other, when the memory is detached (${late ? 'then aborted' : 'alone'}, ${kind})`, async function () {
        const { reader, writer } = makePair(kind);
        const message = pattern(WHOLE, 6);
        const memory = new ArrayBuffer(WHOLE);
        const target = Buffer.from(memory);
        const controller = new AbortController();
        const lost = { code: 'ERR_INVALID_ARG_TYPE', name: 'TypeError' };
        const received = reader.recvBytesInto(target, 0, { signal: controller.signal });
        const failed = rejects(received, late ? { code: 'ABORT_ERR' } : lost);
        await begin(writer, message, target);
        structuredClone(memory, { transfer: [memory] });
        if (late) controller.abort();
        finish(writer, message);
        await failed;
        if (late) await rejects(reader.recvBytes(), lost);
        await writer.sendBytes(Buffer.from('next'));
        expect((await reader.recvBytes()).toString()).to.equal('next');
      });
    }
  }

  it('keeps what has come when a Sync call ends', async function () {
    const { reader, writer } = makePair('socketpair');
    const message = pattern(WHOLE, 7);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(WHOLE);
    writeSync(writer.fileno(), Buffer.concat([header, message.subarray(0, HALF)]));
    const target = Buffer.alloc(WHOLE);
    expect(() => reader.recvBytesIntoSync(target, 0, { timeout: 10 }))
      .to.throw()
      .with.property('code', 'ERR_MP_TIMEOUT');
    target.fill(0);
    finish(writer, message);
    expect((await reader.recvBytes()).equals(message)).to.equal(true);
    expect(target.equals(Buffer.alloc(WHOLE))).to.equal(true);
  });
});
