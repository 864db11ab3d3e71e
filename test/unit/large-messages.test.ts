// SPDX-License-Identifier: MIT
//
// The memory of messages: received Buffers own theirs at every size, and recvBytesInto reads straight into the caller's.
import { setImmediate as nextTurn } from 'node:timers/promises';

import { expect } from 'chai';
import { Pipe, Queue, type Connection } from 'node-multiprocessing';

import { kinds, makePair, modes, pattern, rejects, track, via, within } from '../helpers/index.js';

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
        track(reader, writer);
        const input = via(mode, reader as Connection<never, Buffer>);
        for (const size of SIZES) {
          const message = pattern(size, 5);
          const sent = [writer.sendBytes(message), writer.sendBytes(message), writer.send(message as never)];
          const first = await input.recvBytes();
          const second = await input.recvBytes();
          const third = await input.recv();
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

/** More than any buffer of the kernel, so that it arrives in parts. */
const LONG = 12 * 1024 * 1024;

/** Resolves when the beginning of a message has come into `target`. */
async function untilBegun(target: Buffer, message: Buffer): Promise<void> {
  while (!target.subarray(0, 1024).equals(message.subarray(0, 1024))) await nextTurn();
}

describe('recvBytesInto of a message that arrives in parts', function () {
  for (const kind of kinds) {
    it(`reads straight into the memory (${kind})`, async function () {
      const { reader, writer } = makePair(kind);
      const message = pattern(LONG, 3);
      const target = Buffer.alloc(LONG + 5);
      const received = reader.recvBytesInto(target, 5);
      const sent = writer.sendBytes(message);
      await untilBegun(target.subarray(5), message);
      expect(await within(30_000, received)).to.equal(LONG);
      await sent;
      expect(target.subarray(5).equals(message)).to.equal(true);
    });

    for (const end of ['abort', 'timeout', 'close'] as const) {
      it(`keeps what has come when it ends by ${end}, for the next receive (${kind})`, async function () {
        const { reader, writer } = makePair(kind);
        const other = track(reader.dup());
        const message = pattern(LONG, 4);
        const target = Buffer.alloc(LONG);
        const controller = new AbortController();
        const limits = end === 'abort' ? { signal: controller.signal } : end === 'timeout' ? { timeout: 60 } : {};
        const received = reader.recvBytesInto(target, 0, limits);
        // The beginning of the message alone: the rest is sent only after the end of the call.
        const half = writer.sendBytes(message, 0, LONG);
        await untilBegun(target, message);
        if (end === 'abort') controller.abort();
        if (end === 'close') reader.close();
        const code = { abort: 'ABORT_ERR', timeout: 'ERR_MP_TIMEOUT', close: 'ERR_MP_CLOSED' }[end];
        const outcome = await Promise.allSettled([received]);
        if (outcome[0].status === 'fulfilled') this.skip();
        expect((outcome[0] as PromiseRejectedResult).reason).to.have.property('code', code);
        // The memory is the caller's again.
        target.fill(0);
        const second = Buffer.alloc(LONG);
        expect(await within(30_000, other.recvBytesInto(second))).to.equal(LONG);
        await half;
        expect(second.equals(message)).to.equal(true);
        expect(target.equals(Buffer.alloc(LONG))).to.equal(true);
      });
    }

    it(`loses the message, and no other, when the memory is detached (${kind})`, async function () {
      const { reader, writer } = makePair(kind);
      const message = pattern(LONG, 6);
      const memory = new ArrayBuffer(LONG);
      const target = Buffer.from(memory);
      const received = reader.recvBytesInto(target);
      const failed = rejects(received, { code: 'ERR_INVALID_ARG_TYPE', name: 'TypeError' });
      const sent = [writer.sendBytes(message), writer.sendBytes(Buffer.from('next'))];
      await untilBegun(target, message);
      structuredClone(memory, { transfer: [memory] });
      await within(30_000, failed);
      expect((await reader.recvBytes()).toString()).to.equal('next');
      await Promise.all(sent);
    });
  }
});
