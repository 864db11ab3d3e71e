// SPDX-License-Identifier: MIT
//
// The bytes that the encoder writes, its references instead of repetitions, and the path in its errors.
import { deepStrictEqual } from 'node:assert';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import { encodePickle } from '#lib/serialization/pickle/codec.js';
import { create, PythonGlobal, PythonTuple, reduce } from '#lib/serialization/pickle/nodes.js';
import { assemble, instance, little, makePair, OPCODES, rejects, spawnPeer, throws, track } from '../helpers/index.js';

const { dumps, loads } = mp.pickle;

/** Every byte that is written, after the protocol. */
const forms: [unknown, Buffer][] = [
  [null, assemble('NONE')],
  [true, assemble('NEWTRUE')],
  [0, assemble('BININT1', 0)],
  [255, assemble('BININT1', 255)],
  [256, assemble('BININT2', 0, 1)],
  [65535, assemble('BININT2', 255, 255)],
  [65536, assemble('BININT', little(65536, 4))],
  [-1, assemble('BININT', little(-1, 4))],
  [-(2 ** 31), assemble('BININT', little(-(2 ** 31), 4))],
  [2 ** 31, assemble('LONG1', 5, little(2 ** 31, 5))],
  [-(2 ** 31) - 1, assemble('LONG1', 5, little(-(2 ** 31) - 1, 5))],
  [2 ** 53 - 1, assemble('LONG1', 7, little(2 ** 53 - 1, 7))],
  [5n, assemble('BININT1', 5)],
  [-(2n ** 63n), assemble('LONG1', 8, little(-(2n ** 63n), 8))],
  [2n ** 63n, assemble('LONG1', 9, little(2n ** 63n, 8), 0)],
  [-(2n ** 71n), assemble('LONG1', 9, Buffer.alloc(8), 0x80)],
  [2n ** 2047n, assemble('LONG4', little(257, 4), Buffer.alloc(255), 0x80, 0)],
  [-0, assemble('BINFLOAT', Buffer.from('8000000000000000', 'hex'))],
  [1.5, assemble('BINFLOAT', Buffer.from('3ff8000000000000', 'hex'))],
  [2 ** 53, assemble('BINFLOAT', Buffer.from('4340000000000000', 'hex'))],
  [mp.float(1), assemble('BINFLOAT', Buffer.from('3ff0000000000000', 'hex'))],
  [mp.int(2 ** 53), assemble('LONG1', 7, little(2n ** 53n, 7))],
  ['', assemble('SHORT_BINUNICODE', 0)],
  ['ü', assemble('SHORT_BINUNICODE', 2, Buffer.from('ü'))],
  ['x'.repeat(85), assemble('SHORT_BINUNICODE', 85, Buffer.alloc(85, 'x'))],
  ['x'.repeat(300), assemble('BINUNICODE', little(300, 4), Buffer.alloc(300, 'x'))],
  ['ü'.repeat(10_000), assemble('BINUNICODE', little(20_000, 4), Buffer.from('ü'.repeat(10_000)))],
  ['a\ud800', assemble('SHORT_BINUNICODE', 4, "'a\xed\xa0\x80")],
  ['\udfff'.repeat(20_000), assemble('BINUNICODE', little(60_000, 4), Buffer.from('edbfbf'.repeat(20_000), 'hex'))],
  [Buffer.of(7), assemble('SHORT_BINBYTES', 1, 7, 'MEMOIZE')],
  [Buffer.alloc(256), assemble('BINBYTES', little(256, 4), Buffer.alloc(256), 'MEMOIZE')],
  [[], assemble('EMPTY_LIST', 'MEMOIZE')],
  [[1], assemble('EMPTY_LIST', 'MEMOIZE', 'MARK', 'BININT1', 1, 'APPENDS')],
  [{}, assemble('EMPTY_DICT', 'MEMOIZE')],
  [
    { a: 1 },
    assemble('EMPTY_DICT', 'MEMOIZE', 'MARK', 'SHORT_BINUNICODE', 1, "'a", 'MEMOIZE', 'BININT1', 1, 'SETITEMS'),
  ],
  [new Map([[1, 2]]), assemble('EMPTY_DICT', 'MEMOIZE', 'MARK', 'BININT1', 1, 'BININT1', 2, 'SETITEMS')],
  [new Set([1]), assemble('EMPTY_SET', 'MEMOIZE', 'MARK', 'BININT1', 1, 'ADDITEMS')],
  [
    new Set([new Set([1])]),
    assemble('EMPTY_SET', 'MEMOIZE', 'MARK', 'MARK', 'BININT1', 1, 'FROZENSET', 'MEMOIZE', 'ADDITEMS'),
  ],
  [mp.tuple(), assemble('EMPTY_TUPLE', 'MEMOIZE')],
  [mp.tuple(1), assemble('BININT1', 1, 'TUPLE1', 'MEMOIZE')],
  [mp.tuple(1, 2), assemble('BININT1', 1, 'BININT1', 2, 'TUPLE2', 'MEMOIZE')],
  [mp.tuple(1, 2, 3), assemble('BININT1', 1, 'BININT1', 2, 'BININT1', 3, 'TUPLE3', 'MEMOIZE')],
  [mp.tuple(1, 2, 3, 4), assemble('MARK', 'BININT1', 1, 'BININT1', 2, 'BININT1', 3, 'BININT1', 4, 'TUPLE', 'MEMOIZE')],
];

class Unknown {
  field = 1;
}

const PARTS: [unknown, RegExp][] = [
  [() => 1, /^value is a function/],
  [Symbol('s'), /^value is a symbol/],
  [new Unknown(), /^value is an object of Unknown/],
  [{ handlers: [1, 2, () => 1] }, /^value\.handlers\[2\] is a function/],
  [{ 'a b': { ü: Symbol('s') } }, /^value\["a b"\]\.ü is a symbol/],
  [new Map([['key', [new Unknown()]]]), /^value\.get\('key'\)\[0\] is an object of Unknown/],
  [
    new Map([
      [1, 1],
      [() => 1, 1],
    ] as [unknown, unknown][]),
    /^value\.keys\(\)\[1\] is a function/,
  ],
  [new Set([1, /a/]), /^value\.values\(\)\[1\] is an object of RegExp/],
  [[mp.tuple(1, Promise.resolve())], /^value\[0\]\[1\] is a Promise: await it/],
  [{ when: new Date(NaN) }, /^value\.when cannot be pickled: the Date is invalid/],
  [[new Date(8.64e15)], /^value\[0\] cannot be pickled: Python has no year/],
  [new Map([[{}, 1]]), /^value\.keys\(\)\[0\] would be a dict/],
  [new Set([[new Map()]]), /^value\.values\(\)\[0\]\[0\] would be a dict/],
  [
    {
      get bad(): never {
        throw new RangeError('thrown');
      },
    },
    /^value\.bad cannot be pickled: thrown/,
  ],
  [Object.create({ constructor: undefined }, {}), /^value is an object of an unnamed class/],
  [[Symbol.iterator, Object(Symbol('s'))].slice(1), /^value\[0\] is an object of Symbol/],
];

describe('The pickle encoder', () => {
  it('writes these opcodes', () => {
    for (const [value, bytes] of forms) {
      deepStrictEqual(dumps(value), Buffer.concat([Buffer.of(OPCODES.PROTO, 4), bytes]));
    }
  });

  it('refers to objects and keys that it has written before', () => {
    const shared = { x: 1 };
    const value = [shared, shared, { x: 2, again: shared }, Buffer.from('b')];
    const bytes = dumps(value);
    expect(bytes.toString('latin1').match(/x/g)).to.have.length(1);
    const back = loads(bytes) as [object, object, { again: object }];
    deepStrictEqual(back, value);
    expect(back[0]).to.equal(back[1]).and.to.equal(back[2].again);
  });

  it('keeps cycles', () => {
    const list: unknown[] = [];
    list.push(list);
    const object: Record<string, unknown> = { list };
    object['self'] = object;
    const map = new Map<unknown, unknown>([[1, object]]);
    map.set(2, map);
    const tuple = mp.tuple(list, map);
    const loop = [mp.tuple([] as unknown[])];
    (loop[0]!.items[0] as unknown[]).push(loop[0]);
    for (const value of [list, object, map]) deepStrictEqual(loads(dumps(value)), value);
    deepStrictEqual(loads(dumps(tuple)), [list, map]);
    const [back] = loads(dumps(loop)) as [[unknown[]]];
    expect(back[0][0]).to.equal(back);
  });

  it('finds each of many objects with many keys again', () => {
    const keys = Array.from({ length: 5000 }, (_, i) => `key${i}`);
    const wide = Object.fromEntries(keys.map((key, i) => [key, i]));
    const rows = Array.from({ length: 300 }, (_, i) => ({ id: i, at: { x: i, y: -i }, [`only${i}`]: { x: 1, id: 2 } }));
    const value = [rows, wide, { ...wide, more: true }, rows[299], rows[7], new Map(rows.map((row, i) => [i, row]))];
    const back = loads(dumps(value)) as typeof value;
    deepStrictEqual(back, value);
    expect(back[3]).to.equal((back[0] as unknown[])[299]);
  });

  it('names the path to a value that it cannot write', () => {
    for (const [value, message] of PARTS) {
      expect(throws(() => dumps(value), { code: 'ERR_MP_PICKLING' }).message).to.match(message);
    }
    const thrown = throws(() => dumps(PARTS[13]?.[0]), {});
    expect(thrown.cause).to.be.instanceOf(RangeError);
  });

  it('throws NotSupported for objects of this package', () => {
    const { reader } = makePair('pipe');
    for (const value of [reader, [reader], new Map([[1, { reader }]]), new Set([reader]), mp.tuple(reader)]) {
      throws(() => dumps(value), { code: 'ERR_MP_NOT_SUPPORTED' });
    }
    const lock = new mp.Lock();
    throws(() => dumps({ lock }), { code: 'ERR_MP_NOT_SUPPORTED' });
    lock.close();
  });

  it('throws for detached memory, and writes empty memory', () => {
    const bytes = new Uint8Array(8);
    const views = [bytes, new Float64Array(bytes.buffer), new DataView(bytes.buffer), bytes.buffer];
    const array = mp.pickle.ndarray(new Float64Array(bytes.buffer), [1]);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    for (const view of [...views, array]) throws(() => dumps([view]), { code: 'ERR_MP_PICKLING' });
    deepStrictEqual(loads(dumps(new Uint8Array(0))), Buffer.alloc(0));
  });

  it('throws for deeply nested values, and writes the next value correctly', () => {
    let deep: unknown = 0;
    for (let i = 0; i < 1000; i++) deep = i % 2 === 0 ? [deep] : { deep };
    const shallow = deep;
    deepStrictEqual(loads(dumps(shallow)), shallow);
    expect(throws(() => dumps([deep]), { code: 'ERR_MP_PICKLING' }).message).to.match(/more than 1000 levels/);
    for (let i = 0; i < 100_000; i++) deep = [deep];
    throws(() => dumps(deep), { code: 'ERR_MP_PICKLING' });
    const cyclic: unknown[] = [];
    cyclic.push(cyclic);
    throws(() => dumps(new Set([cyclic])), { code: 'ERR_MP_PICKLING' });
    deepStrictEqual(loads(dumps({ a: [1] })), { a: [1] });
  });

  it('throws on a short stack as well', async () => {
    const program = `
      import { pickle } from 'node-multiprocessing';
      let deep = 0;
      for (let i = 0; i < 990; i++) deep = [{ deep }].slice(i % 2 - 1);
      try { pickle.dumps(deep); } catch (error) { console.log(error.code, error.cause?.name); }
      console.log(pickle.loads(pickle.dumps([1])));`;
    const args = ['--stack-size=100', '--input-type=module', '-e', program];
    const peer = spawnPeer({ language: 'node', label: 'short stack', command: process.execPath, args });
    expect(await peer.succeeded()).to.equal('ERR_MP_PICKLING RangeError\n[ 1 ]\n');
  });

  it('may be called while it writes another value', () => {
    const inner: Buffer[] = [];
    const value = {
      before: 1,
      get nested() {
        inner.push(dumps({ x: ['inner'] }));
        return 2;
      },
      after: { x: 3 },
    };
    deepStrictEqual(loads(dumps(value)), { before: 1, nested: 2, after: { x: 3 } });
    deepStrictEqual(loads(inner[0]!), { x: ['inner'] });
  });

  it('returns memory that later pickles do not change', () => {
    const pickles = Array.from({ length: 3000 }, (_, i) => dumps({ i, text: 'x'.repeat(i % 200) }));
    const large = [70_000, 200_000, 65_530].map((length, i) => dumps(Buffer.alloc(length, i)));
    pickles.forEach((pickle, i) => deepStrictEqual(loads(pickle), { i, text: 'x'.repeat(i % 200) }));
    large.forEach((pickle, i) => deepStrictEqual((loads(pickle) as Buffer)[60_000], i));
    // The memory of small pickles is shared, and does not go to another thread with one of them. (Node 20 copies, later
    // versions throw.)
    try {
      structuredClone(pickles[0], { transfer: [pickles[0]!.buffer as ArrayBuffer] });
    } catch (error) {
      expect((error as Error).name).to.equal('DataCloneError');
    }
    expect(pickles[0]!.length).to.be.greaterThan(0);
  });

  it('is used by a channel with this serialization', async () => {
    const { reader, writer } = makePair('socketpair', { serialization: 'pickle' });
    await writer.send({ a: [1n, 'two'], pair: mp.tuple(1, 2) });
    deepStrictEqual(loads(await reader.recvBytes()), { a: [1, 'two'], pair: [1, 2] });
    reader.sendSync([new Date(5)]);
    deepStrictEqual(writer.recvSync(), [new Date(5)]);
    const error = instance(await rejects(writer.send({ f: [() => 1] }), { code: 'ERR_MP_PICKLING' }), mp.PicklingError);
    expect(error.message).to.match(/^value\.f\[0\]/);
    expect(await reader.poll()).to.equal(false);
    const large = { bytes: Buffer.alloc(300_000, 7), rest: 'x' };
    const sent = writer.send(large);
    deepStrictEqual(await reader.recv(), large);
    await sent;
    await writer.sendBytes(Buffer.from('\x80\x04cos\nsystem\n.', 'latin1'));
    await rejects(reader.recv(), { code: 'ERR_MP_UNPICKLING' });
    track(reader);
  });

  it('asks a hook about objects that are no plain data, and writes its answer', () => {
    class Handle {
      readonly n: number;
      constructor(n: number) {
        this.n = n;
      }
    }
    const hooks = {
      reduce(object: object) {
        if (!(object instanceof Handle)) return undefined;
        if (object.n === 0) return new PythonGlobal('worker', 'consumer');
        if (object.n === 1) return new PythonTuple([object.n, 'one']);
        if (object.n === 2) return reduce(new PythonGlobal('m', 'f'), [object.n, new PythonTuple([])]);
        return create(new PythonGlobal('m', 'C'), [], { self: object });
      },
    };
    const third = new Handle(3);
    const handles = [new Handle(0), new Handle(1), new Handle(2), third, third];
    const back = loads(encodePickle(handles, hooks), { unknown: 'opaque' }) as unknown[];
    deepStrictEqual(back[0], new mp.pickle.PythonGlobal('worker', 'consumer'));
    deepStrictEqual(back[1], [1, 'one']);
    deepStrictEqual(back[2], new mp.pickle.PythonObject(new mp.pickle.PythonGlobal('m', 'f'), [2, []], false));
    const made = instance(back[3], mp.pickle.PythonObject);
    expect([made.isNew, made.args, made.state]).to.deep.equal([true, [], { self: made }]);
    expect(back[4]).to.equal(made);
    throws(() => encodePickle([new Unknown()], hooks), { code: 'ERR_MP_PICKLING' });
    throws(() => dumps(handles), { code: 'ERR_MP_PICKLING' });
  });
});

describe('The wrappers of values', () => {
  it('refuse values that they are not for', () => {
    for (const value of ['1', null, undefined, {}, 1n]) {
      throws(() => mp.float(value as number), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    for (const value of ['1', null, undefined, {}]) {
      throws(() => mp.int(value as number), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    for (const value of [0.5, NaN, Infinity]) throws(() => mp.int(value), { code: 'ERR_OUT_OF_RANGE' });
    throws(() => new mp.pickle.Decimal(1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
    throws(() => new mp.pickle.UUID(1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
    throws(() => new mp.pickle.Complex('1' as never, 2), { code: 'ERR_INVALID_ARG_TYPE' });
    throws(() => new mp.pickle.TimeZone(1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
    throws(() => new mp.pickle.TimeZone(new mp.pickle.TimeDelta(0), 1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
    throws(() => new mp.pickle.ZoneInfo(1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
    throws(() => new mp.pickle.PythonGlobal(1 as never, 'x'), { code: 'ERR_INVALID_ARG_TYPE' });
    throws(() => new mp.pickle.PythonGlobal('x', 1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
    for (const text of ['', '1.', '.5', '1E+5', 'sNaN1', 'inf', '-Infinity', '+1e5']) {
      if (text === '') throws(() => new mp.pickle.Decimal(text), { code: 'ERR_OUT_OF_RANGE' });
      else expect(String(new mp.pickle.Decimal(text))).to.equal(text);
    }
    for (const text of ['1,5', '0x1', ' 1', '1e', 'ｏ'])
      throws(() => new mp.pickle.Decimal(text), { code: 'ERR_OUT_OF_RANGE' });
    for (const text of ['', '1'.repeat(31), 'g'.repeat(32)])
      throws(() => new mp.pickle.UUID(text), { code: 'ERR_OUT_OF_RANGE' });
    throws(() => new mp.pickle.PythonDate(0, 1, 1), { code: 'ERR_OUT_OF_RANGE' });
    // Regression: Python refused these when it received them.
    for (const [year, month, day] of [
      [2023, 2, 29],
      [2023, 2, 31],
      [1900, 2, 29],
      [2024, 4, 31],
    ] as const) {
      throws(() => new mp.pickle.PythonDate(year, month, day), { code: 'ERR_OUT_OF_RANGE' });
    }
    expect(String(new mp.pickle.PythonDate(2000, 2, 29))).to.equal('2000-02-29');
    for (const [days, seconds] of [
      [1, 0],
      [-1, 0],
      [-2, 86_399],
    ] as const) {
      const offset = new mp.pickle.TimeDelta(days, seconds);
      throws(() => new mp.pickle.TimeZone(offset), { code: 'ERR_OUT_OF_RANGE' });
    }
    for (const key of ['', '/etc/passwd', '../x', 'a/../b', 'a//b']) {
      throws(() => new mp.pickle.ZoneInfo(key), { code: 'ERR_OUT_OF_RANGE' });
    }
    throws(() => new mp.pickle.PythonTime(1, 2, 3, 4, 'UTC' as never), { code: 'ERR_INVALID_ARG_TYPE' });
    throws(() => new mp.pickle.PythonTime(24, 1), { code: 'ERR_OUT_OF_RANGE' });
    throws(() => new mp.pickle.TimeDelta(0, 86_400), { code: 'ERR_OUT_OF_RANGE' });
  });

  // Regression: Python could not make the exception, so that the whole message was lost.
  it('refuse the arguments of which Python makes no exception', () => {
    const { PythonError } = mp.pickle;
    const wrong: [string, unknown[]][] = [
      ['UnicodeDecodeError', ['x']],
      ['UnicodeDecodeError', ['utf8', 'text', 0, 1, 'reason']],
      ['UnicodeEncodeError', ['utf8', 'text', 0.5, 1, 'reason']],
      ['UnicodeTranslateError', []],
      ['ExceptionGroup', ['m', []]],
      ['ExceptionGroup', ['m', [1]]],
      ['BaseExceptionGroup', ['m', [new Error()], 1]],
      ['SyntaxError', ['m', 'place']],
      ['TabError', ['m', [1, 2, 3]]],
    ];
    for (const [name, args] of wrong) {
      const { message } = throws(() => mp.pickle.dumps({ e: new PythonError(name, args) }), {
        code: 'ERR_MP_PICKLING',
      });
      expect(message).to.include('value.e').and.include(name);
    }
  });

  it('are shown as text', () => {
    expect(String(new mp.pickle.PythonDate(33, 2, 1))).to.equal('0033-02-01');
    expect(String(new mp.pickle.PythonTime(1, 2))).to.equal('01:02:00');
    expect(String(new mp.pickle.PythonTime(1, 2, 3, 4))).to.equal('01:02:03.000004');
    expect(JSON.stringify([new mp.pickle.Decimal('1.0'), new mp.pickle.UUID('AB'.repeat(16))])).to.equal(
      '["1.0","abababab-abab-abab-abab-abababababab"]',
    );
    expect(String(new mp.pickle.PythonGlobal('a.b', 'C.d'))).to.equal('a.b.C.d');
    expect(new mp.pickle.TimeDelta(-1, 1, 500).milliseconds).to.equal(-86_398_999.5);
  });
});
