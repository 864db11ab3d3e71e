// SPDX-License-Identifier: MIT
import { serialize } from 'node:v8';

import { expect } from 'chai';
import { Connection, pickle, Pipe } from 'node-multiprocessing';

import type { ChannelFormat } from '#lib/connection/channel-format.js';
import { makePair, rejects, throws, track, type AnyConnection } from '../helpers/index.js';

/** Internal, so not among the types. */
const { internals } = Connection as unknown as {
  internals(connection: AnyConnection): { format: ChannelFormat };
};

/** The class that Connections use. #lib/ has a second copy of it. */
const Serialization = ((): typeof ChannelFormat => {
  const ends = Pipe();
  const { format: serialization } = internals(ends[0]);
  for (const end of ends) end.close();
  return serialization.constructor as typeof ChannelFormat;
})();

describe('The serialization of a channel', () => {
  it('stays as the user chose it', () => {
    for (const kind of ['structured', 'json'] as const) {
      const serialization = new Serialization(kind, true);
      expect(serialization.kind).to.equal(kind);
      expect([serialization.fix('pickle'), serialization.fix(kind)]).to.deep.equal([false, true]);
      expect(serialization.kind).to.equal(kind);
    }
    for (const option of ['pickle', pickle.serializer({ unknown: 'opaque' })] as const) {
      const serialization = new Serialization(option, false);
      expect(serialization.kind).to.equal('pickle');
      expect([serialization.fix('structured'), serialization.fix('pickle')]).to.deep.equal([false, true]);
    }
    const own = new Serialization({ serialize: () => Buffer.from('x'), deserialize: () => 1 }, false);
    expect(own.kind).to.equal('custom');
    expect([own.fix('pickle'), own.kind]).to.deep.equal([false, 'custom']);
  });

  it('is open until it is fixed', () => {
    const serialization = new Serialization(undefined, false);
    expect(serialization.kind).to.equal(undefined);
    expect(serialization.fix('pickle')).to.equal(true);
    expect(serialization.kind).to.equal('pickle');
    expect([serialization.fix('structured'), serialization.fix('pickle')]).to.deep.equal([false, true]);
  });

  it('is structured once something is sent, and stays open after a value that cannot be sent', () => {
    for (const adopted of [false, true]) {
      const serialization = new Serialization(undefined, adopted);
      throws(() => serialization.encode(() => 1), { code: 'ERR_MP_PICKLING' });
      expect(serialization.kind).to.equal(undefined);
      expect(serialization.encode([1])).to.deep.equal(serialize([1]));
      expect(serialization.kind).to.equal('structured');
    }
  });

  it('follows the first received message if the other end may be any program', () => {
    for (const decode of ['fromBorrowed', 'fromOwned'] as const) {
      const receive = (serialization: ChannelFormat, bytes: Buffer): unknown =>
        decode === 'fromBorrowed' ? serialization.fromBorrowed(bytes, bytes.length) : serialization.fromOwned(bytes);
      const structured = new Serialization(undefined, true);
      expect(receive(structured, serialize('text'))).to.equal('text');
      expect(structured.kind).to.equal('structured');

      const pickled = new Serialization(undefined, true);
      expect(receive(pickled, Buffer.from('\x80\x04K\x05.', 'latin1'))).to.equal(5);
      expect(pickled.kind).to.equal('pickle');
      expect(pickled.encode(null)).to.deep.equal(Buffer.from('\x80\x04N.', 'latin1'));

      const ours = new Serialization(undefined, false);
      throws(() => receive(ours, Buffer.from([0x80])), { code: 'ERR_MP_UNPICKLING' });
      expect(ours.kind).to.equal('structured');
    }
  });

  it('is not fixed by a message without bytes', () => {
    const serialization = new Serialization(undefined, true);
    throws(() => serialization.fromBorrowed(Buffer.alloc(4), 0), { code: 'ERR_MP_UNPICKLING' });
    throws(() => serialization.fromOwned(Buffer.alloc(0)), { code: 'ERR_MP_UNPICKLING' });
    expect(serialization.kind).to.equal(undefined);
  });

  it('is the same for both ends of a Pipe and their copies', async () => {
    for (const kind of ['pipe', 'socketpair'] as const) {
      const { reader, writer } = makePair(kind);
      const copy = track(reader.dup());
      const serialization = internals(reader).format;
      expect(internals(writer).format).to.equal(serialization);
      expect(internals(copy).format).to.equal(serialization);
      await writer.sendBytes(Buffer.from('x'));
      expect((await copy.recvBytes()).toString()).to.equal('x');
      expect(serialization.kind).to.equal(undefined);
      await writer.send('object');
      expect(serialization.kind).to.equal('structured');
    }
  });

  it('is that of the moment when a message arrives, not of the call to recv', async () => {
    const { reader, writer } = makePair('pipe');
    const pending = reader.recv();
    expect(internals(reader).format.fix('json')).to.equal(true);
    await writer.sendBytes(Buffer.from('["text"]'));
    expect(await pending).to.deep.equal(['text']);
    await rejects(writer.send(undefined), { code: 'ERR_MP_PICKLING' });
  });
});
