// SPDX-License-Identifier: MIT
//
// How dicts, objects that refer to themselves, and memory are decoded.
import { deepStrictEqual } from 'node:assert';

import { expect } from 'chai';
import { pickle } from 'node-multiprocessing';

import { Pipe } from '#lib/connection/pipe.js';
import { decodePickle, encodePickle } from '#lib/serialization/pickle/codec.js';
import { reducerTable } from '#lib/serialization/pickle/hooks.js';
import { create, PythonGlobal } from '#lib/serialization/pickle/nodes.js';
import { pickleFormat } from '#lib/serialization/pickle/serializer.js';
import { assemble, global, instance, makePair, rejects, throws, track, type AnyConnection } from '../helpers/index.js';

const { dumps, loads } = pickle;

/** A key: `a` or another str. */
const text = (characters: string): Buffer =>
  Buffer.concat([Buffer.of(0x8c, characters.length), Buffer.from(characters)]);

describe('The memory of a decoded value', () => {
  it('is its own, unless it is most of the memory of a large message', () => {
    const message = Buffer.from(Uint8Array.from(dumps(Buffer.alloc(1000, 1))).buffer);
    const isOwn = (value: unknown): boolean => (value as Buffer).buffer !== message.buffer;
    expect(isOwn(loads(message))).to.equal(true);
    expect(isOwn(decodePickle(message, false))).to.equal(true);
    expect(isOwn(decodePickle(message, true))).to.equal(false);
    const two = dumps([Buffer.alloc(100, 1), Buffer.alloc(100, 2)]);
    for (const part of decodePickle(two, true) as Buffer[]) expect(part.buffer).not.to.equal(two.buffer);
    // A message that is a small part of its memory, as one in a pool is.
    const part = Buffer.from(new Uint8Array(message.length * 2).buffer, 0, message.length);
    message.copy(part);
    expect((decodePickle(part, true) as Buffer).buffer.byteLength).to.equal(1000);
    message.fill(9);
    expect((loads(dumps(Buffer.of(1))) as Buffer)[0]).to.equal(1);
  });

  it('does not change when more is received', async () => {
    const { reader, writer } = makePair('pipe', { serialization: 'pickle' });
    await writer.send({ bytes: Buffer.from('first'), numbers: Float64Array.of(1, 2) });
    const first = (await reader.recv()) as { bytes: Buffer; numbers: Float64Array };
    for (let i = 0; i < 10; i++) {
      await writer.send({ bytes: Buffer.from('XXXXX'), numbers: Float64Array.of(9, 9) });
      await reader.recv();
    }
    expect(first.bytes.toString()).to.equal('first');
    deepStrictEqual(first.numbers, Float64Array.of(1, 2));
  });

  it('may come from any memory that bytes can be read from', () => {
    const bytes = dumps(['a']);
    const copy = Uint8Array.from([0, ...bytes, 0]);
    for (const memory of [copy.subarray(1), new DataView(copy.buffer, 1), Uint8Array.from(bytes).buffer]) {
      deepStrictEqual(loads(memory), ['a']);
    }
    throws(() => loads('text' as never), { code: 'ERR_INVALID_ARG_TYPE' });
    throws(() => loads(bytes, 5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
    throws(() => loads(bytes, { unknown: 'maybe' as never }), { code: 'ERR_INVALID_ARG_TYPE' });
    throws(() => pickle.serializer({ unknown: 1 as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  });
});

describe('Unknown classes in pickles', () => {
  const bytes = assemble(
    ...([
      global('shop', 'Order'),
      'BININT1',
      1,
      'TUPLE1',
      'NEWOBJ',
      'MEMOIZE',
      'EMPTY_DICT',
      text('n'),
      'NONE',
      'SETITEM',
      'BUILD',
    ] as const),
    ...([
      'MARK',
      'NEWTRUE',
      'APPENDS',
      'MARK',
      text('k'),
      'NEWFALSE',
      'SETITEMS',
      global('shop', 'make'),
      'EMPTY_TUPLE',
      'REDUCE',
      'TUPLE2',
    ] as const),
  );

  it('are an error with their names at the first mention', () => {
    for (const pickled of [
      bytes,
      assemble(global('shop', 'Order')),
      assemble(text('shop'), text('Order'), 'STACK_GLOBAL'),
    ]) {
      expect(throws(() => loads(pickled), { code: 'ERR_MP_UNPICKLING' }).message).to.match(/shop\.Order/);
    }
  });

  it('are PythonObjects if the option says so, and can be sent again', async () => {
    const [order, made] = loads(bytes, { unknown: 'opaque' }) as [pickle.PythonObject, pickle.PythonObject];
    expect(order).to.be.instanceOf(pickle.PythonObject);
    deepStrictEqual(order.type, new pickle.PythonGlobal('shop', 'Order'));
    deepStrictEqual(
      [order.isNew, order.args, order.state, order.items, order.entries],
      [true, [1], { n: null }, [true], [['k', false]]],
    );
    deepStrictEqual([made.type.name, made.isNew, made.state], ['make', false, undefined]);
    deepStrictEqual(loads(dumps([order, made]), { unknown: 'opaque' }), [order, made]);
    const { reader, writer } = makePair('pipe', { serialization: pickle.serializer({ unknown: 'opaque' }) });
    await writer.send(order);
    deepStrictEqual(await reader.recv(), order);
  });

  it('may be made with keywords', () => {
    const keywords = assemble(
      global('shop', 'Order'),
      'EMPTY_TUPLE',
      'EMPTY_DICT',
      text('a'),
      'NONE',
      'SETITEM',
      'NEWOBJ_EX',
    );
    const made = loads(keywords, { unknown: 'opaque' }) as pickle.PythonObject;
    deepStrictEqual([made.isNew, made.args, made.keywords], [true, [], { a: null }]);
    deepStrictEqual(loads(dumps(made), { unknown: 'opaque' }), made);
    const type = new pickle.PythonGlobal('shop', 'Order');
    throws(() => new pickle.PythonObject(type, [], false, undefined, {}), { code: 'ERR_OUT_OF_RANGE' });
  });
});

describe("Reducers of this package's channels", () => {
  it('take precedence over known reducers, and give objects their state', async () => {
    const reducers = reducerTable({
      'test.hooks': {
        Handle: {
          call: () => ({ placeholder: true }),
          build: (_, state) => new Set([state]),
        },
      },
    });
    class Handle {
      readonly handle = true;
    }
    const serialization = pickleFormat({
      reducers,
      reduce: (object) => (object instanceof Handle ? new PythonGlobal('decimal', 'Decimal') : undefined),
    }).serializer();
    // Made with the same copy of the modules as the hooks.
    const [reader, writer] = Pipe(false, { serialization }).map(track) as [AnyConnection, AnyConnection];
    const made = [global('test.hooks', 'Handle'), 'EMPTY_TUPLE', 'NEWOBJ', 'MEMOIZE', 'NEWTRUE', 'BUILD'] as const;
    await writer.sendBytes(assemble(...made, 'BINGET', 0, 'TUPLE2'));
    const [first, second] = (await reader.recv()) as [unknown, unknown];
    deepStrictEqual(first, new Set([true]));
    expect(second).to.equal(first);
    // A holder of the object from before it had its state would keep another object.
    await writer.sendBytes(assemble(...made.slice(0, 4), 'EMPTY_LIST', 'BINGET', 0, 'APPEND', 'BUILD'));
    await rejects(reader.recv(), { code: 'ERR_MP_UNPICKLING' });
    await writer.send([new Handle()]);
    const [global1] = (await reader.recv()) as [unknown];
    expect(instance(global1, PythonGlobal).toString()).to.equal('decimal.Decimal');
    throws(() => dumps(new Handle()), { code: 'ERR_MP_PICKLING' });
  });

  it('are told what the caller passed for this value alone', () => {
    const told: unknown[] = [];
    const reducers = reducerTable({
      'test.context': {
        Handle: {
          call(_args, _budget, _keywords, context) {
            told.push(context);
            return {};
          },
          build(_object, _state, _budget, context) {
            told.push(context);
          },
        },
      },
    });
    const hooks = {
      reducers,
      reduce(object: object, context: unknown) {
        if (!(object instanceof Date)) return undefined;
        told.push(context);
        return create(new PythonGlobal('test.context', 'Handle'), [], {});
      },
    };
    const [encoding, decoding] = [{}, {}];
    const bytes = encodePickle([new Date()], hooks, encoding);
    decodePickle(bytes, false, hooks, decoding);
    expect(told).to.have.lengthOf(3);
    expect(told[0]).to.equal(encoding);
    expect(told[1]).to.equal(decoding);
    expect(told[2]).to.equal(decoding);
    decodePickle(encodePickle(new Date(), hooks), false, hooks);
    expect(told.slice(3)).to.deep.equal([undefined, undefined, undefined]);
  });
});
