// SPDX-License-Identifier: MIT
import { deserialize, serialize } from 'node:v8';

import { expect } from 'chai';
import { Pipe, type Serialization } from 'node-multiprocessing';
import { Packr } from 'msgpackr';

import { kinds, makePair, modes, rejects, throws, track, via } from '../helpers/index.js';

describe('Structured serialization, the default', () => {
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  const values: [string, unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['a bigint', 2n ** 80n],
    ['a Date', new Date(0)],
    ['a Map and a Set', new Map([[{ key: 1 }, new Set([1, 'two'])]])],
    ['a RegExp', /a+/gi],
    ['an Error', new RangeError('kept')],
    ['typed arrays', [new Float64Array([1.5, -0]), new Uint8Array(3), new DataView(new ArrayBuffer(2))]],
    ['an ArrayBuffer', new Uint8Array([1, 2, 3]).buffer],
    ['a string of 100000 characters', 'ü'.repeat(100_000)],
    ['a cycle', cyclic],
    ['an object with a __proto__ key', JSON.parse('{"__proto__":1}')],
  ];
  for (const kind of kinds) {
    for (const mode of modes) {
      for (const [name, value] of values) {
        it(`carries ${name} (${kind}, ${mode})`, async () => {
          const { reader, writer } = makePair(kind);
          const sent = writer.send(value);
          expect(await via(mode, reader).recv()).to.deep.equal(value);
          await sent;
        });
      }
    }
  }

  it('writes the format of node:v8, and reads it', async () => {
    const { reader, writer } = makePair('pipe');
    await writer.send({ a: [1, 'b'] });
    expect(deserialize(await reader.recvBytes())).to.deep.equal({ a: [1, 'b'] });
    await writer.sendBytes(serialize(new Map([[1, 2]])));
    expect(await reader.recv()).to.deep.equal(new Map([[1, 2]]));
  });

  it('writes the format of node:v8 also for Buffers, which take a shorter way', async () => {
    const { reader, writer } = makePair('pipe');
    class Special extends Buffer {}
    const special = Object.setPrototypeOf(Buffer.from('abc'), Special.prototype) as Buffer;
    const sizes = [0, 1, 126, 127, 128, 129, 5000, 16_383, 16_384, 16_385, 2_097_151, 2_097_152];
    const values = [...sizes.map((size) => Buffer.alloc(size, size)), special, new Uint8Array([1, 2])];
    for (const value of values) {
      const [, bytes] = await Promise.all([writer.send(value), reader.recvBytes()]);
      expect(bytes.equals(serialize(value)), `${value.length} bytes`).to.equal(true);
      const [, received] = await Promise.all([writer.sendBytes(bytes), reader.recv() as Promise<Uint8Array>]);
      expect(Buffer.compare(received, value), `${value.length} bytes`).to.equal(0);
      expect(Object.getPrototypeOf(received)).to.equal(Object.getPrototypeOf(deserialize(bytes)));
    }
    // A message that begins like a Buffer and is none.
    const endless = serialize(Buffer.alloc(64)).fill(0xff, 4);
    for (const bytes of [
      serialize(Buffer.alloc(64)).subarray(0, -1),
      serialize(Buffer.alloc(300)).subarray(0, 5),
      endless,
    ]) {
      await writer.sendBytes(bytes);
      await rejects(reader.recv(), { code: 'ERR_MP_UNPICKLING' });
    }
  });

  it('leaves bytes in a received object unchanged when more is received', async () => {
    const { reader, writer } = makePair('pipe');
    await writer.send({ bytes: Buffer.from('first'), view: new Uint16Array([1, 2]) });
    const first = (await reader.recv()) as { bytes: Uint8Array; view: Uint16Array };
    for (let i = 0; i < 10; i++) {
      await writer.send({ bytes: Buffer.from('XXXXX'), view: new Uint16Array([9, 9]) });
      await reader.recv();
    }
    expect(Buffer.from(first.bytes).toString()).to.equal('first');
    expect([...first.view]).to.deep.equal([1, 2]);
  });
});

describe('A value that cannot be serialized', () => {
  for (const mode of modes) {
    for (const [name, value] of [
      ['a function', () => 1],
      ['a symbol', Symbol('s')],
      ['a function inside', { deep: [() => 1] }],
    ] as const) {
      it(`is a PicklingError, and nothing is sent: ${name} (${mode})`, async () => {
        const { reader, writer } = makePair('pipe');
        const error = await rejects(via(mode, writer).send(value), { code: 'ERR_MP_PICKLING', name: 'PicklingError' });
        expect(error.cause).to.be.instanceOf(Error);
        expect(await reader.poll()).to.equal(false);
        await writer.send('next');
        expect(await reader.recv()).to.equal('next');
      });
    }

    it(`is an UnpicklingError on the receiving side, and the message is consumed (${mode})`, async () => {
      const { reader, writer } = makePair('pipe');
      for (const bytes of [Buffer.alloc(0), Buffer.from('no such format'), Buffer.from([0xff, 0x0f])]) {
        await writer.sendBytes(bytes);
        const error = await rejects(via(mode, reader).recv(), { code: 'ERR_MP_UNPICKLING', name: 'UnpicklingError' });
        expect(error.cause).to.be.instanceOf(Error);
      }
      await writer.send('next');
      expect(await via(mode, reader).recv()).to.equal('next');
      expect(reader.readable).to.equal(true);
    });
  }

  it('is an UnpicklingError in tryRecv, too', async () => {
    const { reader, writer } = makePair('pipe');
    await writer.sendBytes(Buffer.from('no such format'));
    throws(() => reader.tryRecv(), { code: 'ERR_MP_UNPICKLING' });
    expect(reader.tryRecv()).to.equal(undefined);
  });
});

describe('JSON serialization', () => {
  for (const mode of modes) {
    it(`writes JSON text in UTF-8 (${mode})`, async () => {
      const { reader, writer } = makePair('pipe', { serialization: 'json' });
      const value = { text: 'grün', list: [1, null, true], nested: { a: {} } };
      await via(mode, writer).send(value);
      expect(String(await via(mode, reader).recvBytes())).to.equal(JSON.stringify(value));
      await via(mode, writer).send(value);
      expect(await via(mode, reader).recv()).to.deep.equal(value);
      const large = { text: 'x'.repeat(100_000) };
      const sent = writer.send(large);
      expect(await via(mode, reader).recv()).to.deep.equal(large);
      await sent;
    });

    it(`throws PicklingError for values that JSON cannot hold, and UnpicklingError for bad text (${mode})`, async () => {
      const { reader, writer } = makePair('pipe', { serialization: 'json' });
      const cyclic: { self?: unknown } = {};
      cyclic.self = cyclic;
      for (const value of [undefined, () => 1, Symbol('s'), 1n, cyclic]) {
        await rejects(via(mode, writer).send(value), { code: 'ERR_MP_PICKLING' });
      }
      expect(await reader.poll()).to.equal(false);
      for (const text of ['', '{', 'undefined']) {
        await writer.sendBytes(Buffer.from(text));
        await rejects(via(mode, reader).recv(), { code: 'ERR_MP_UNPICKLING' });
      }
    });
  }
});

describe('Custom serialization', () => {
  for (const kind of kinds) {
    for (const mode of modes) {
      it(`may be a Packr of msgpackr (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind, { serialization: new Packr({ structuredClone: true }) });
        for (const value of [1, 'two', { three: [3, new Date(5)] }, new Map([['k', Buffer.from('bytes')]]), null]) {
          await via(mode, writer).send(value);
          expect(await via(mode, reader).recv()).to.deep.equal(value);
        }
        const large = { text: 'x'.repeat(100_000) };
        const sent = writer.send(large);
        expect(await via(mode, reader).recv()).to.deep.equal(large);
        await sent;
      });
    }
  }

  it('may be an object with serialize and deserialize, which are called as its methods', async () => {
    const shouting = {
      suffix: '!',
      serialize(value: unknown): Uint8Array {
        return Buffer.from(String(value) + this.suffix);
      },
      deserialize(bytes: Uint8Array): unknown {
        return Buffer.from(bytes).toString() + this.suffix;
      },
    };
    const { reader, writer } = makePair('pipe', { serialization: shouting });
    await writer.send('hello');
    expect(await reader.recv()).to.equal('hello!!');
  });

  it('may keep the bytes that deserialize gets', async () => {
    const identity = { serialize: (value: unknown) => value as Uint8Array, deserialize: (bytes: Uint8Array) => bytes };
    const { reader, writer } = makePair('pipe', { serialization: identity });
    await writer.send(Buffer.from('kept'));
    const kept = (await reader.recv()) as Uint8Array;
    for (let i = 0; i < 10; i++) {
      await writer.send(Buffer.from('XXXX'));
      await reader.recv();
    }
    expect(Buffer.from(kept).toString()).to.equal('kept');
  });

  it('has its errors as the cause of PicklingError or UnpicklingError', async () => {
    const reason = new Error('no');
    const failing = {
      serialize(value: unknown): Uint8Array {
        if (value === 'fail') throw reason;
        return Buffer.from('x');
      },
      deserialize(): unknown {
        throw reason;
      },
    };
    const { reader, writer } = makePair('pipe', { serialization: failing });
    await rejects(writer.send('fail'), { code: 'ERR_MP_PICKLING', cause: reason });
    await writer.send('ok');
    await rejects(reader.recv(), { code: 'ERR_MP_UNPICKLING', cause: reason });
  });

  it('must return bytes', async () => {
    const wrong = { serialize: () => 'text' as never, deserialize: () => undefined };
    const { reader, writer } = makePair('pipe', { serialization: wrong });
    await rejects(writer.send(1), { code: 'ERR_MP_PICKLING' });
    throws(() => writer.sendSync(1), { code: 'ERR_MP_PICKLING' });
    expect(await reader.poll()).to.equal(false);
  });

  it('is refused by Pipe if it is anything else', () => {
    for (const serialization of ['pickled', {}, { serialize: () => 1 }, 5, null, () => 1]) {
      throws(() => Pipe(true, { serialization: serialization as Serialization }), { code: 'ERR_INVALID_ARG_TYPE' });
    }
  });
});

describe('A Connection inside a message', () => {
  class Holder {
    readonly field: unknown;
    constructor(field: unknown) {
      this.field = field;
    }
  }
  const wrappings: [string, (connection: unknown) => unknown][] = [
    ['alone', (connection) => connection],
    ['in an object', (connection) => ({ deep: { deeper: [connection] } })],
    ['in a Map', (connection) => new Map([['key', connection]])],
    ['as the key of a Map', (connection) => new Map([[connection, 1]])],
    ['in a Set', (connection) => new Set([connection])],
    ['in a field of a class', (connection) => new Holder(connection)],
    ['in the cause of an Error', (connection) => new Error('outer', { cause: connection })],
  ];
  for (const serialization of ['structured', 'json'] as const) {
    for (const [name, wrap] of wrappings) {
      // JSON has no place for the content of Map, Set and Error, and writes {} for each of them.
      if (serialization === 'json' && /Map|Set|Error/.test(name)) continue;
      for (const mode of modes) {
        it(`is NotSupported, and nothing is sent: ${name} (${serialization}, ${mode})`, async () => {
          const { reader, writer } = makePair('pipe', { serialization });
          const [connection, other] = Pipe();
          track(connection);
          track(other);
          await rejects(via(mode, writer).send(wrap(connection)), {
            code: 'ERR_MP_NOT_SUPPORTED',
            name: 'NotSupported',
          });
          expect(await reader.poll()).to.equal(false);
        });
      }
    }
  }

  it('is NotSupported, and nothing is sent: msgpackr', async () => {
    const { reader, writer } = makePair('pipe', { serialization: new Packr() });
    for (const value of [reader, { deep: [reader] }]) {
      await rejects(writer.send(value), { code: 'ERR_MP_NOT_SUPPORTED' });
    }
    expect(await reader.poll()).to.equal(false);
  });
});
