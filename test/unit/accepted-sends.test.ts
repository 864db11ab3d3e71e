// SPDX-License-Identifier: MIT
//
// sends: 'accepted': what a resolved send means, how much may wait, and which call learns of a failure.
import { expect } from 'chai';
import { describe as reduce, MessagesLost, Pipe, type Connection } from 'node-multiprocessing';

import { idOf, kinds, makePair, rejects, throws, track, within, type Kind } from '../helpers/index.js';
import { native } from '#lib/native/addon.js';

type Any = Connection<unknown, unknown>;

const LOST = { code: 'ERR_MP_MESSAGES_LOST' };

function accepting(kind: Kind, sendBuffer?: number): { reader: Any; writer: Any } {
  return makePair(kind, { sends: 'accepted', sendBuffer });
}

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** Whether it has resolved by the next turn of the event loop. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  await nextTurn();
  await nextTurn();
  return settled;
}

/** Sends messages of this size until one has to wait. Returns how many were accepted, and the send that waits. */
async function fill(writer: Any, size: number): Promise<{ accepted: number; waiting: Promise<void> }> {
  for (let accepted = 0; ; accepted++) {
    const waiting = writer.sendBytes(Buffer.alloc(size, accepted));
    if (!(await isSettled(waiting))) return { accepted, waiting };
  }
}

/** The messages up to one whose only byte is 255, as [length, first byte]. */
async function receiveAll(reader: Any): Promise<[number, number | undefined][]> {
  const all: [number, number | undefined][] = [];
  for (;;) {
    const message = await reader.recvBytes();
    if (message.length === 1 && message[0] === 255) return all;
    expect(message.every((byte) => byte === message[0])).to.be.true;
    all.push([message.length, message[0]]);
  }
}

/** Accepts more than the kernel takes, of which it enlarges no buffer for such messages. */
async function overfill(): Promise<{ reader: Any; writer: Any }> {
  const pair = accepting('socketpair');
  for (let i = 0; i < 15; i++) await within(10_000, pair.writer.sendBytes(Buffer.alloc(60_000, i)), 'accepted');
  return pair;
}

/** A Connection that has lost messages, and has told no call. */
async function lose(): Promise<Any> {
  const { reader, writer } = await overfill();
  reader.close();
  while (native.pendingBytes(idOf(writer)) > 0) await nextTurn();
  return writer;
}

for (const kind of kinds) {
  describe(`Connection with sends: 'accepted' (${kind})`, () => {
    it('resolves for the kernel or for memory, and keeps the order of all kinds of sends', async () => {
      const { reader, writer } = accepting(kind);
      const expected: number[] = [];
      let next = 0;
      for (const how of ['small', 'limited', 'large', 'small', 'sync', 'small', 'small', 'flush', 'large', 'limited']) {
        expected.push(next);
        const message = Buffer.alloc(how === 'large' ? 20_000 : 40, next++);
        if (how === 'limited') void writer.sendBytes(message, 0, undefined, { timeout: 10_000 });
        else if (how === 'sync') writer.sendBytesSync(message);
        else void writer.sendBytes(message);
        if (how === 'flush') await writer.flush();
      }
      void writer.sendBytes(Buffer.of(255));
      expect((await receiveAll(reader)).map(([, first]) => first)).to.deep.equal(expected);
    });

    it('accepts as much as sendBuffer says beyond what the kernel takes, and then waits for room', async () => {
      const { reader, writer } = accepting(kind, 100_000);
      const { accepted, waiting } = await fill(writer, 10_000);
      // The rest of a message that is half written counts too.
      const inMemory = 9;
      expect(accepted).to.be.at.least(inMemory);
      // Nothing beyond the bound is accepted, however small.
      expect(await isSettled(writer.sendBytes(Buffer.of(255)))).to.be.false;
      for (let i = 0; i < accepted; i++) {
        const message = await reader.recvBytes();
        expect([message.length, message[0]]).to.deep.equal([10_000, i & 0xff]);
      }
      await within(10_000, waiting, 'room');
      expect(await receiveAll(reader)).to.deep.equal([[10_000, accepted & 0xff]]);
    });

    it('accepts a send that waits before its message is written', async () => {
      const { reader, writer } = accepting(kind, 100_000);
      const { accepted, waiting } = await fill(writer, 30_000);
      await reader.recvBytes();
      for (let i = 1; !(await isSettled(waiting)); i++) expect((await reader.recvBytes())[0]).to.equal(i & 0xff);
      // So much is in memory still that not all of it can be in the kernel.
      let left = 0;
      void writer.sendBytes(Buffer.of(255));
      for (const [length] of await receiveAll(reader)) left += length;
      expect(left).to.be.at.least(30_000);
      expect(accepted).to.be.greaterThan(3);
    });

    it('gives up a send that waits, after its time or by its signal, and sends nothing of it', async () => {
      const { reader, writer } = accepting(kind, 50_000);
      const { accepted, waiting } = await fill(writer, 10_000);
      await rejects(writer.sendBytes(Buffer.alloc(77), 0, undefined, { timeout: 5 }), { code: 'ERR_MP_TIMEOUT' });
      const controller = new AbortController();
      const aborted = writer.sendBytes(Buffer.alloc(78), 0, undefined, { signal: controller.signal });
      controller.abort();
      await rejects(aborted, { code: 'ABORT_ERR' });
      void writer.sendBytes(Buffer.of(255));
      const lengths = (await receiveAll(reader)).map(([length]) => length);
      expect(lengths).to.deep.equal(Array.from({ length: accepted + 1 }, () => 10_000));
      await waiting;
    });

    it('copies a large message that it accepts, and leaves one beyond sendBuffer in the memory of the caller', async () => {
      const { reader, writer } = accepting(kind, 600_000);
      const first = Buffer.alloc(500_000, 1);
      await within(10_000, writer.sendBytes(first), 'accepted');
      first.fill(9);
      const second = Buffer.alloc(20_000_000, 2);
      const sent = writer.sendBytes(second);
      expect(await isSettled(sent)).to.be.false;
      void writer.sendBytes(Buffer.of(255));
      expect(await receiveAll(reader)).to.deep.equal([
        [500_000, 1],
        [20_000_000, 2],
      ]);
      await sent;
    });

    it('resolves flush() when everything is written, with a time limit and a signal', async () => {
      const { reader, writer } = accepting(kind);
      await writer.flush();
      for (let i = 0; i < 90; i++) await writer.sendBytes(Buffer.alloc(10_000, i));
      await rejects(writer.flush({ timeout: 5 }), { code: 'ERR_MP_TIMEOUT' });
      throws(() => writer.flushSync({ timeout: 5 }), { code: 'ERR_MP_TIMEOUT' });
      await rejects(writer.flush({ signal: AbortSignal.timeout(5) }), { code: 'ABORT_ERR' });
      const flushed = writer.flush();
      expect(await isSettled(flushed)).to.be.false;
      for (let i = 0; i < 90; i++) expect((await reader.recvBytes())[0]).to.equal(i);
      await flushed;
      writer.flushSync();
      void writer.send('more');
      void writer.send('and more');
      writer.flushSync();
      expect(reader.pollSync()).to.be.true;
    });

    it('writes what it has accepted when it is closed', async () => {
      const { reader, writer } = accepting(kind);
      for (let i = 0; i < 60; i++) await writer.sendBytes(Buffer.alloc(10_000, i));
      writer.close();
      for (let i = 0; i < 60; i++) expect((await reader.recvBytes())[0]).to.equal(i);
      await rejects(reader.recv(), { code: 'ERR_MP_EOF' });
    });

    it('drops what it has accepted with close({ discard: true })', async () => {
      const { reader, writer } = accepting(kind);
      for (let i = 0; i < 60; i++) await writer.sendBytes(Buffer.alloc(10_000, i));
      writer.close({ discard: true });
      const error = await (async () => {
        for (;;) await reader.recvBytes();
      })().catch((reason: unknown) => reason);
      expect(error).to.have.property('code').that.is.oneOf(['ERR_MP_EOF', 'ERR_MP_TRUNCATED']);
    });

    it('lets timers run while a loop awaits sends', async () => {
      const { reader, writer } = accepting(kind);
      const received = receiveAll(reader);
      let sent = 0;
      let fired = false;
      setTimeout(() => (fired = true), 1);
      for (; !fired; sent++) await writer.sendBytes(Buffer.alloc(10, 7));
      await writer.sendBytes(Buffer.of(255));
      expect(await received).to.have.length(sent);
    });
  });

  for (const sends of ['written', 'accepted'] as const) {
    it(`carries messages of mixed sizes in their order (${kind}, ${sends})`, async function () {
      this.timeout(120_000);
      const { reader, writer } = makePair(kind, { sends });
      const count = 40_000;
      const pattern = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i * 31 + (i >> 8)));
      const sizeOf = (i: number): number =>
        i % 1000 === 999 ? 66_000 : i % 50 === 49 ? 9000 + (i % 7) : (i * 7) % 200;
      const receiving = (async () => {
        for (let next = 0; next < count;) {
          for (const message of await reader.recvMany(undefined, { bytes: true })) {
            const from = next % 1000;
            const size = sizeOf(next++);
            if (!message.equals(pattern.subarray(from, from + size))) throw new Error(`message ${next - 1}`);
          }
        }
      })();
      receiving.catch(() => undefined);
      let last: Promise<void> | undefined;
      for (let i = 0; i < count; i++) {
        last = writer.sendBytes(pattern, i % 1000, sizeOf(i));
        if (i % 3 === 0 || i % 100 > 90) await last;
      }
      await last;
      await receiving;
    });
  }
}

describe("Connection with sends: 'accepted'", () => {
  it('keeps descriptors and messages with Connections between the messages around them', async () => {
    const { reader, writer } = accepting('socketpair');
    const [one, other] = Pipe();
    track(one);
    track(other);
    void writer.send('a');
    void writer.send('b');
    const sent = writer.send({ one });
    void writer.send('c');
    const handle = writer.sendHandle(other.fileno());
    void writer.send('d');
    expect(await reader.recv()).to.equal('a');
    expect(await reader.recv()).to.equal('b');
    const { one: copy } = (await reader.recv()) as { one: Any };
    track(copy);
    expect(await reader.recv()).to.equal('c');
    const fd = await reader.recvHandle();
    expect(await reader.recv()).to.equal('d');
    await Promise.all([sent, handle]);
    (await import('node:fs')).closeSync(fd);
  });

  it('tells the next send of messages that were lost, with their number, once', async () => {
    const writer = await lose();
    const error = (await rejects(writer.send('next'), LOST)) as MessagesLost;
    expect(error.count).to.be.within(1, 15);
    expect(error.cause).to.have.property('code', 'EPIPE');
    await rejects(writer.send('after'), { code: 'EPIPE' });
    writer.close();
  });

  it('tells a blocking send, a handle and a message with a Connection', async () => {
    for (const call of [
      (writer: Any) => Promise.resolve().then(() => writer.sendSync(1)),
      (writer: Any) => writer.sendHandle(writer.fileno()),
      (writer: Any) => writer.send(Pipe().map(track)[0]),
    ]) {
      const writer = await lose();
      await rejects(call(writer), LOST);
      writer.close();
    }
  });

  it('tells flush(), flushSync(), close() and await using', async () => {
    const flushed = await lose();
    await rejects(flushed.flush(), LOST);
    await flushed.flush();
    flushed.close();
    const blocking = await lose();
    throws(() => blocking.flushSync(), LOST);
    blocking.close();
    const closed = await lose();
    throws(() => closed.close(), LOST);
    expect(closed.closed).to.be.true;
    const disposed = await lose();
    await rejects(disposed[Symbol.asyncDispose](), LOST);
    const dropped = await lose();
    dropped.close({ discard: true });
  });

  it('tells close() of messages that only its own write loses', async () => {
    const { reader, writer } = await overfill();
    reader.close();
    throws(() => writer.close(), LOST);
  });

  it('tells a flush() that waits, and emits one warning for a Connection that was closed before', async () => {
    const { reader, writer } = accepting('socketpair');
    const { accepted, waiting } = await fill(writer, 60_000);
    const flushed = writer.flush();
    reader.close();
    await rejects(waiting, { code: 'EPIPE' });
    const error = (await rejects(flushed, LOST)) as MessagesLost;
    expect(error.count).to.be.within(1, accepted);
    writer.close();

    const second = await overfill();
    second.writer.close();
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    second.reader.close();
    expect(await within(10_000, warned, 'a warning')).to.be.instanceOf(MessagesLost);
  });

  it('writes what it has accepted before it is passed on, and is not passed on with more', async () => {
    const { reader, writer } = accepting('socketpair');
    void writer.send(1);
    void writer.send(2);
    const reduced = reduce(writer) as { options: { sends: string; sendBuffer: number } };
    expect(reduced.options).to.include({ sends: 'accepted', sendBuffer: 2 ** 20 });
    expect(reader.tryRecv()).to.deep.equal({ value: 1 });
    expect(reader.tryRecv()).to.deep.equal({ value: 2 });
    const full = await overfill();
    throws(() => reduce(full.writer), { code: 'ERR_MP_BUSY' });
    full.writer.close({ discard: true });
  });

  it('refuses other values of sends, and a sendBuffer that has no meaning', () => {
    throws(() => Pipe(true, { sends: 'soon' as never }), { code: 'ERR_OUT_OF_RANGE' });
    throws(() => Pipe(true, { sends: 1 as never }), { code: 'ERR_INVALID_ARG_TYPE' });
    throws(() => Pipe(true, { sendBuffer: 1000 }), { code: 'ERR_OUT_OF_RANGE' });
    throws(() => Pipe(true, { sends: 'accepted', sendBuffer: 0 }), { code: 'ERR_OUT_OF_RANGE' });
    throws(() => Pipe(true, { sends: 'accepted', sendBuffer: '1' as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  });

  it('flushes a Connection whose sends wait for the kernel, too', async () => {
    const { reader, writer } = makePair('socketpair');
    const sends = Array.from({ length: 50 }, (_, i) => writer.sendBytes(Buffer.alloc(20_000, i)));
    const flushed = writer.flush();
    expect(await isSettled(flushed)).to.be.false;
    for (let i = 0; i < 50; i++) expect((await reader.recvBytes())[0]).to.equal(i);
    await flushed;
    await Promise.all(sends);
  });
});
