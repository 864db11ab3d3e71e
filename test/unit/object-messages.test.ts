// SPDX-License-Identifier: MIT
//
// Objects of this package inside messages. They arrive as what they are, in order with the other messages. Objects that
// cannot travel are refused before anything is sent.
import { closeSync, openSync } from 'node:fs';
import { serialize } from 'node:v8';

import { expect } from 'chai';

import * as mp from 'node-multiprocessing';

import {
  makePair,
  modes,
  rejects,
  TOO_LONG,
  track,
  turns,
  via,
  writeRaw,
  frame,
  type AnyConnection,
} from '../helpers/index.js';

/** A framed message with objects. Its descriptors are sent by the test, or not at all. */
function objectMessage(descriptors: number): Buffer {
  const content = { magic: Buffer.alloc(16), objects: [[], []], value: serialize('value'), descriptors };
  return frame(Buffer.concat([Buffer.of(0xff, 0), serialize(content)]));
}

describe('Objects in messages', () => {
  for (const mode of modes) {
    it(`may be Connections, which work where they arrive and end when every copy is closed (${mode})`, async () => {
      const { reader, writer } = makePair('socketpair');
      const [ours, theirs] = mp.Pipe().map(track) as [AnyConnection, AnyConnection];
      await via(mode, writer).send({ nested: [new Map([['end', theirs]])] });
      theirs.close();
      const { nested } = (await via(mode, reader).recv()) as { nested: [Map<string, AnyConnection>] };
      const arrived = track(nested[0].get('end')!);
      expect(arrived).to.be.instanceOf(mp.Connection);
      await via(mode, arrived).send('hello');
      expect(await via(mode, ours).recv()).to.equal('hello');
      arrived.close();
      await rejects(via(mode, ours).recv(), { code: 'ERR_MP_EOF' });
    });

    it(`keep their place among other messages (${mode})`, async () => {
      const { reader, writer } = makePair('socketpair');
      const [end, other] = mp.Pipe().map(track) as [AnyConnection, AnyConnection];
      const sent: Promise<void>[] = [];
      for (let i = 0; i < 5; i++) {
        sent.push(
          via(mode, writer).send(i),
          via(mode, writer).send([end, other, i]),
          via(mode, writer).sendBytes(Buffer.of(i)),
        );
      }
      for (let i = 0; i < 5; i++) {
        expect(await via(mode, reader).recv()).to.equal(i);
        const [first, second, number] = (await via(mode, reader).recv()) as [AnyConnection, AnyConnection, number];
        track(first);
        track(second);
        expect(number).to.equal(i);
        expect(await via(mode, reader).recvBytes()).to.deep.equal(Buffer.of(i));
      }
      await Promise.all(sent);
    });
  }

  it('stay one object if they occur twice, also as a part of another object', async () => {
    const { reader, writer } = makePair('socketpair');
    const lock = new mp.RLock();
    const condition = new mp.Condition(lock);
    const value: Record<string, unknown> = { lock, again: [lock], condition };
    value['self'] = value;
    await writer.send(value);
    const received = (await reader.recv()) as {
      lock: mp.RLock;
      again: mp.RLock[];
      condition: mp.Condition;
      self: unknown;
    };
    expect(received.again[0]).to.equal(received.lock);
    expect(received.self).to.equal(received);
    await received.lock.acquire();
    await received.condition.notify();
    expect(lock.value).to.equal(0);
    received.lock.release();
    received.condition.close();
    condition.close();
  });

  it('leave no descriptor open that is not what the message says', async () => {
    // Regression: it stayed open.
    const { reader, writer } = makePair('socketpair');
    const connection = { type: 'Connection', readable: true, writable: true, serialization: 'structured', options: {} };
    const objects = [[{ ...connection, descriptor: { fd: 0 } }], []];
    const content = { objects, value: serialize('value'), descriptors: 1 };
    writeRaw(writer, frame(Buffer.concat([Buffer.of(0xff, 0), serialize(content)])));
    const file = openSync('/dev/null', 'r');
    await writer.sendHandle(file);
    closeSync(file);
    await rejects(reader.recv(), { code: 'ERR_MP_UNPICKLING' });
  });

  it('carry along what was read ahead', async () => {
    const { reader, writer } = makePair('socketpair');
    const { reader: passed, writer: source } = makePair('pipe');
    await source.send('first');
    await source.send('second');
    expect(await passed.recv()).to.equal('first');
    await writer.send(passed);
    passed.close();
    const arrived = track((await reader.recv()) as AnyConnection);
    await source.send('third');
    expect(await arrived.recv()).to.equal('second');
    expect(await arrived.recv()).to.equal('third');
  });

  it('get back what was read ahead if the message cannot be sent', async () => {
    const { reader, writer } = makePair('socketpair');
    const { reader: passed, writer: source } = makePair('pipe');
    await source.send('first');
    await source.send('second');
    expect(await passed.recv()).to.equal('first');
    reader.close();
    await rejects(writer.send(passed), { code: 'EPIPE' });
    await turns();
    expect(await passed.recv()).to.equal('second');
  });

  it('travel with large values and over a full socket', async () => {
    const { reader, writer } = makePair('socketpair');
    const { reader: end } = makePair('pipe');
    const sent = writer.send({ end, data: Buffer.alloc(1 << 20, 7) });
    const after = writer.send('after');
    const received = (await reader.recv()) as { end: AnyConnection; data: Buffer };
    track(received.end);
    expect(received.data.length).to.equal(1 << 20);
    expect(await reader.recv()).to.equal('after');
    await Promise.all([sent, after]);
  });

  for (const mode of modes) {
    it(`are not sent, nor their descriptors, if the send timed out before the first byte (${mode})`, async () => {
      const { reader, writer } = makePair('socketpair');
      const { reader: end } = makePair('pipe');
      const first = writer.sendBytes(Buffer.alloc(TOO_LONG));
      const error = await rejects(via(mode, writer).send([end], { timeout: 1 }), { code: 'ERR_MP_TIMEOUT' });
      expect((error as mp.TimeoutError).begun).to.equal(false);
      const last = writer.send('last');
      expect((await reader.recvBytes()).length).to.equal(TOO_LONG);
      expect(await reader.recv()).to.equal('last');
      await Promise.all([first, last]);
    });
  }

  it('are kept for the next receive if a receive times out between the message and its descriptors', async () => {
    const { reader, writer } = makePair('socketpair');
    const { reader: end } = makePair('pipe');
    writeRaw(writer, objectMessage(1));
    await rejects(reader.recv({ timeout: 1 }), { code: 'ERR_MP_TIMEOUT' });
    // Half of an object message is neither bytes nor a handle.
    await rejects(reader.recvBytes(), { code: 'ERR_MP_BUSY' });
    await rejects(reader.recvHandle(), { code: 'ERR_MP_BUSY' });
    await writer.sendHandle(end.fileno());
    expect(await reader.recv()).to.equal('value');
  });

  it('are not changed by messages on other connections that arrive before their descriptors', async () => {
    const { reader, writer } = makePair('socketpair');
    const other = makePair('pipe');
    writeRaw(writer, objectMessage(1));
    await rejects(reader.recv({ timeout: 1 }), { code: 'ERR_MP_TIMEOUT' });
    await other.writer.sendBytes(Buffer.alloc(2000, 7));
    await other.reader.recvBytes();
    await writer.sendHandle(other.reader.fileno());
    expect(await reader.recv()).to.equal('value');
  });

  it('are dropped when the peer ends before the descriptors have come', async () => {
    const { reader, writer } = makePair('socketpair');
    writeRaw(writer, objectMessage(2));
    await writer.sendHandle(writer.fileno());
    await rejects(reader.recv({ timeout: 1 }), { code: 'ERR_MP_TIMEOUT' });
    writer.close();
    // The copy that has arrived is the last one, and is closed with the connection.
    expect(await reader.poll()).to.equal(false);
    reader.close();
  });

  it('are refused if a byte comes without a descriptor', async () => {
    const { reader, writer } = makePair('socketpair');
    writeRaw(writer, objectMessage(1));
    writeRaw(writer, Buffer.of(1));
    await rejects(reader.recv(), { code: 'EBADMSG' });
    await rejects(reader.recv(), { code: 'ERR_MP_NOT_READABLE' });
  });

  it('are refused if they describe nothing, or need descriptors that did not come', async () => {
    const { reader, writer } = makePair('socketpair');
    const connection = { type: 'Connection', readable: true, writable: true, serialization: 'json', options: {} };
    const contents: unknown[] = [
      null,
      {},
      { magic: Buffer.alloc(16), objects: [], value: serialize(1), descriptors: 0 },
      { magic: Buffer.alloc(16), objects: [[], [0]], value: serialize(1), descriptors: 0 },
      { magic: Buffer.alloc(16), objects: [[{ type: 'Same', number: 0 }], []], value: serialize(1), descriptors: 0 },
      { magic: Buffer.alloc(16), objects: [[], []], value: serialize(1), descriptors: -1 },
      { magic: Buffer.alloc(16), objects: [[], []], value: Buffer.of(1, 2, 3), descriptors: 0 },
      {
        magic: Buffer.alloc(16),
        objects: [[{ ...connection, descriptor: { fd: 3 } }], [0]],
        value: serialize(1),
        descriptors: 0,
      },
      {
        magic: Buffer.alloc(16),
        objects: [[{ ...connection, descriptor: { fd: 3, pid: process.pid } }], [0]],
        value: serialize(1),
        descriptors: 0,
      },
    ];
    for (const content of contents) {
      writeRaw(writer, frame(Buffer.concat([Buffer.of(0xff, 0), serialize(content)])));
      await rejects(reader.recv(), { code: 'ERR_MP_UNPICKLING' });
    }
    await writer.send('still in step');
    expect(await reader.recv()).to.equal('still in step');
  });

  it('are refused by pipes and by other serializations, with nothing sent', async () => {
    const { reader, writer } = makePair('pipe');
    await rejects(writer.send([reader]), { code: 'ERR_MP_NOT_SUPPORTED' });
    const json = makePair('socketpair', { serialization: 'json' });
    await rejects(json.writer.send({ reader }), { code: 'ERR_MP_NOT_SUPPORTED' });
    expect(await reader.poll()).to.equal(false);
    expect(await json.reader.poll()).to.equal(false);
  });

  it('are sent only if the values beside them can be; the error has the path', async () => {
    const { reader, writer } = makePair('socketpair');
    const error = await rejects(writer.send({ reader, handlers: [{ onDone: () => 0 }] }), { code: 'ERR_MP_PICKLING' });
    expect(error.message).to.include('value.handlers[0].onDone');
    const guarded = new mp.Lock();
    const guard = await guarded.guard();
    const refused = await rejects(writer.send({ reader, deep: { guard } }), { code: 'ERR_MP_NOT_SUPPORTED' });
    expect(refused.message).to.include('value.deep.guard');
    guard.release();
    guarded.close();
    await turns();
    expect(await reader.poll()).to.equal(false);
  });
});
