// SPDX-License-Identifier: MIT
import { expect } from 'chai';
import { wait, waitSync, type Waitable } from 'node-multiprocessing';

import {
  copyFd,
  frame,
  kinds,
  makePair,
  modes,
  openFd,
  rejects,
  throws,
  turns,
  writeRaw,
  type Mode,
} from '../helpers/index.js';

// An error that waitSync throws becomes a rejection.
const call = async (mode: Mode, objects: readonly Waitable[], timeout?: number | null): Promise<Waitable[]> =>
  mode === 'sync' ? waitSync(objects, timeout) : await wait(objects, timeout);

describe('wait', () => {
  for (const kind of kinds) {
    for (const mode of modes) {
      it(`returns the ready objects, in the given order (${kind}, ${mode})`, async () => {
        const pairs = Array.from({ length: 4 }, () => makePair(kind));
        const readers = pairs.map(({ reader }) => reader);
        expect(await call(mode, readers, 0)).to.deep.equal([]);
        pairs[3]?.writer.sendBytesSync(Buffer.from('x'));
        expect(await call(mode, readers)).to.have.ordered.members([readers[3]]);
        pairs[1]?.writer.close();
        expect(await call(mode, readers)).to.have.ordered.members([readers[1], readers[3]]);
        expect(await call(mode, [...readers].reverse(), null)).to.have.ordered.members([readers[3], readers[1]]);
      });

      it(`returns [] at its timeout, and at once for a negative one (${kind}, ${mode})`, async () => {
        const { reader } = makePair(kind);
        const before = performance.now();
        expect(await call(mode, [reader], 30.5)).to.deep.equal([]);
        expect(performance.now() - before).to.be.at.least(30.5);
        expect(await call(mode, [reader], -1)).to.deep.equal([]);
        expect(await call(mode, [], 0)).to.deep.equal([]);
        expect(await call(mode, [], 5)).to.deep.equal([]);
      });

      it(`counts what is held in memory (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        const { reader: idle } = makePair(kind);
        writeRaw(writer, Buffer.concat([frame('one'), frame('two')]));
        await reader.recvBytes();
        expect(await call(mode, [idle, reader])).to.have.ordered.members([reader]);
      });

      it(`accepts descriptors as numbers, mixed with Connections (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        const { reader: idle } = makePair(kind);
        const fd = copyFd(reader);
        expect(await call(mode, [fd, idle], 5)).to.deep.equal([]);
        writer.sendBytesSync(Buffer.from('x'));
        expect(await call(mode, [idle, fd])).to.deep.equal([fd]);
        const file = openFd('/proc/self/stat');
        expect(await call(mode, [idle, file])).to.deep.equal([file]);
      });

      it(`reports an object twice that is given twice (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        writer.sendBytesSync(Buffer.from('x'));
        expect(await call(mode, [reader, reader])).to.have.ordered.members([reader, reader]);
      });

      it(`refuses objects that cannot be waited for, before it waits (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        await rejects(call(mode, [reader, 44_977_608]), { code: 'EBADF' });
        if (kind === 'pipe') await rejects(call(mode, [writer, reader]), { code: 'ERR_MP_NOT_READABLE' });
        for (const [bad, code] of [
          [-1, 'ERR_OUT_OF_RANGE'],
          [1.5, 'ERR_OUT_OF_RANGE'],
          [NaN, 'ERR_OUT_OF_RANGE'],
          ['3', 'ERR_INVALID_ARG_TYPE'],
          [{}, 'ERR_INVALID_ARG_TYPE'],
          [undefined, 'ERR_INVALID_ARG_TYPE'],
        ] as [never, string][]) {
          await rejects(call(mode, [reader, bad]), { code });
        }
        await rejects(call(mode, reader as never), { code: 'ERR_INVALID_ARG_TYPE' });
        await rejects(call(mode, [reader], NaN), { code: 'ERR_OUT_OF_RANGE' });
        await rejects(call(mode, [reader], '5' as never), { code: 'ERR_INVALID_ARG_TYPE' });
        reader.close();
        await rejects(call(mode, [reader]), { code: 'ERR_MP_CLOSED' });
      });
    }

    it(`resolves when a message comes, also for several waits and with receives beside them (${kind})`, async () => {
      const first = makePair(kind);
      const second = makePair(kind);
      const both = [first.reader, second.reader];
      const waits = [wait(both), wait([second.reader], 60_000), wait([second.reader], { timeout: null })];
      await turns();
      await second.writer.sendBytes(Buffer.from('x'));
      for (const found of await Promise.all(waits)) expect(found).to.have.ordered.members([second.reader]);
      expect(String(await second.reader.recvBytes())).to.equal('x');
    });

    it(`rejects with an AbortError at an abort, and with ClosedError when one of the Connections is closed (${kind})`, async () => {
      const { reader } = makePair(kind);
      const { reader: other } = makePair(kind);
      const abort = new AbortController();
      const aborted = wait([reader, other], { signal: abort.signal });
      const closed = wait([reader, other]);
      abort.abort();
      await rejects(aborted, { code: 'ABORT_ERR', name: 'AbortError' });
      other.close();
      await rejects(closed, { code: 'ERR_MP_CLOSED' });
      await rejects(wait([reader], { signal: AbortSignal.abort() }), { code: 'ABORT_ERR' });
    });

    it(`rejects with an AbortError at an abort while it waits for a turn of the loop (${kind})`, async () => {
      const { reader } = makePair(kind);
      // More than may start in one turn.
      const controllers = Array.from({ length: 200 }, () => new AbortController());
      const waits = controllers.map(({ signal }) => wait([reader], { signal }));
      for (const controller of controllers) controller.abort();
      const ends = await Promise.allSettled(waits);
      const codes = ends.map((end) => (end.status === 'rejected' ? (end.reason as { code: string }).code : end.value));
      expect(new Set(codes)).to.deep.equal(new Set(['ABORT_ERR']));
    });

    it(`rejects once a Connection is out of step (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      writeRaw(writer, Buffer.alloc(4, 0x80));
      await rejects(reader.recvBytes(), { code: 'ERR_MP_BAD_MESSAGE_LENGTH' });
      await rejects(wait([reader]), { code: 'ERR_MP_NOT_READABLE' });
      throws(() => waitSync([reader]), { code: 'ERR_MP_NOT_READABLE' });
    });
  }
});
