// SPDX-License-Identifier: MIT
//
// This package reads and writes V8's format itself. The values are compared with those that V8 makes of its own bytes.
import { deepStrictEqual } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { inspect } from 'node:util';
import { deserialize, serialize } from 'node:v8';

import { expect } from 'chai';
import fc from 'fast-check';
import { Queue } from 'node-multiprocessing';

import { makePair, packageRoot, rejects, throws } from '../helpers/index.js';
import { freshSeed, Random } from '../helpers/random.js';
import { carried, Codec, refused } from './support/structured.js';

const everything = { depth: Infinity, maxArrayLength: null, maxStringLength: null } as const;

/** A value as a text, without the memory of views: those of V8 are views of the message. */
function shown(value: unknown): string {
  return inspect(value, everything).replace(/(\[?)byteOffset.*\n.*buffer.*\{[^}]*\}/g, '');
}

/** A value, or the error that takes its place. */
function outcome(read: () => unknown): { value: unknown } | { error: unknown } {
  try {
    return { value: read() };
  } catch (error) {
    return { error };
  }
}

describe('A structured message', () => {
  let codec: Codec;
  beforeEach(() => {
    codec = new Codec();
  });

  for (const [name, value] of Object.entries(carried)) {
    it(`has what V8 carries: ${name}`, () => {
      const expected: unknown = deserialize(serialize(value));
      // More than once: what was met before takes a shorter way.
      for (let i = 0; i < 10; i++) {
        deepStrictEqual(deserialize(codec.encode(value)), expected);
        deepStrictEqual(codec.decode(serialize(value)), expected);
        deepStrictEqual(codec.carry(value), expected);
      }
    });
  }

  it('has any value that V8 carries', () => {
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      maxDepth: 4,
    });
    const seed = freshSeed();
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 6 }), (values) => {
        // The same object in several places.
        const value = { values, first: values[0], again: [values, values.at(-1)] };
        const expected: unknown = deserialize(serialize(value));
        deepStrictEqual(deserialize(codec.encode(value)), expected);
        deepStrictEqual(codec.decode(serialize(value)), expected);
        deepStrictEqual(codec.carry(value), expected);
      }),
      { seed, numRuns: 400 },
    );
  });

  it('has each object once, as V8 has it', () => {
    const shared = { a: 1 };
    const others = Array.from({ length: 100 }, (_, i) => ({ i }));
    const received = codec.carry([shared, ...others, shared, others[50], others]) as unknown[];
    expect(received[101]).to.equal(received[0]);
    expect(received[102]).to.equal(received[51]);
    (received[103] as unknown[]).forEach((other, i) => expect(other).to.equal(received[i + 1]));
  });

  it('has dates that are none', () => {
    // Node 20 does not take two of them for equal.
    expect((codec.carry(new Date(NaN)) as Date).getTime()).to.deep.equal(NaN);
  });

  it('is as long as that of V8, or shorter', () => {
    const record = { id: 12345, name: 'some name', score: 12.5, ok: true, tags: ['a', 'b'], note: null };
    for (const value of [record, new Array(50).fill(record), 'text', Buffer.alloc(99), new Map([[1, record]])]) {
      expect(codec.encode(value).length).to.be.at.most(serialize(value).length);
    }
  });

  for (const [name, make] of Object.entries(refused)) {
    it(`refuses what V8 refuses, with the path: ${name}`, () => {
      expect(() => serialize(make())).to.throw();
      for (const [path, value] of [
        ['value', make()],
        ['value.a[1]', { a: [0, make()] }],
        ['value.get("k").b', new Map([['k', { b: make() }]])],
      ] as const) {
        const { message } = throws(() => codec.encode(value), { code: 'ERR_MP_PICKLING' });
        expect(`${message} `).to.match(new RegExp(`^${path.replace(/[[\]().]/g, '\\$&')} `));
      }
      expect(codec.carry('next')).to.equal('next');
    });
  }

  it('has no array of a type that some supported versions of Node do not know', () => {
    const { Float16Array } = globalThis as unknown as { Float16Array?: new (length: number) => ArrayBufferView };
    if (Float16Array === undefined) return;
    throws(() => codec.encode({ a: new Float16Array(1) }), { code: 'ERR_MP_PICKLING' });
  });

  it('is nested as deeply as the stack allows; then the error says so', () => {
    const nested = (depth: number): unknown => Array.from({ length: depth }).reduce((inner) => [inner], 0);
    deepStrictEqual(codec.carry(nested(1000)), nested(1000));
    const { message } = throws(() => codec.encode(nested(100_000)), { code: 'ERR_MP_PICKLING' });
    expect(message).to.equal('value is nested too deeply');
    expect(codec.carry('next')).to.equal('next');
  });
});

describe('A program in which no code can be made of texts', () => {
  it('sends and receives structured messages', () => {
    const program = `
      import { Pipe } from 'node-multiprocessing';
      const [a, b] = Pipe();
      const received = [];
      for (let i = 0; i < 20; i++) {
        a.sendSync({ i, name: 'name ' + i, __proto__: null, ['__proto__']: i });
        received.push(b.recvSync());
      }
      console.log(JSON.stringify(received));`;
    const options = ['--disallow-code-generation-from-strings', '--input-type=module', '-e', program];
    const output = execFileSync(process.execPath, options, { cwd: packageRoot, encoding: 'utf8' });
    const texts = Array.from({ length: 20 }, (_, i) => `{"i":${i},"name":"name ${i}","__proto__":${i}}`);
    expect(output).to.equal(`[${texts.join()}]\n`);
  });
});

describe('A program whose built-in objects are frozen', () => {
  // Regression: errors arrived as empty objects.
  it('sends and receives structured messages', () => {
    const program = `
      import { Pipe } from 'node-multiprocessing';
      const [a, b] = Pipe();
      a.sendSync([new RangeError('why', { cause: 1 }), new Map([[1, 2]]), new Date(5), Buffer.from('x'), new (class A { x = 1 })()]);
      const [{ name, message, cause }, ...others] = b.recvSync();
      let code;
      try { a.sendSync(new URL('http://host')) } catch (error) { ({ code } = error) }
      console.log(name, message, cause, [...others[0]].join(), ...others.slice(1).map((value) => JSON.stringify(value)), code);`;
    const options = ['--frozen-intrinsics', '--no-warnings', '--input-type=module', '-e', program];
    const output = execFileSync(process.execPath, options, { cwd: packageRoot, encoding: 'utf8' });
    expect(output).to.equal(
      'RangeError why 1 1,2 "1970-01-01T00:00:00.005Z" {"type":"Buffer","data":[120]} {"x":1} ERR_MP_PICKLING\n',
    );
  });
});

describe('A getter in a structured message', () => {
  it('runs once, also beside an object of this package', async () => {
    const { reader, writer } = makePair('socketpair');
    const { reader: end } = makePair('pipe');
    for (const others of [
      {},
      {
        date: new Date(0),
        error: new Error('m'),
        custom: new (class A {
          x = 1;
        })(),
      },
      { end },
    ]) {
      let calls = 0;
      const value = {
        get n() {
          return ++calls;
        },
        ...others,
        list: Object.defineProperty([1, 2], 1, { get: () => ++calls, enumerable: true }),
      };
      await writer.send(value);
      expect(calls).to.equal(2);
      const received = (await reader.recv()) as { n: number; list: number[]; end?: { close(): void } };
      expect([received.n, received.list]).to.deep.equal([1, [1, 2]]);
      received.end?.close();
    }
  });

  it('may send something else, which is another message', () => {
    const outer = new Codec();
    const inner = new Codec();
    const value = {
      before: 'b',
      get now() {
        return inner.carry({ text: 'x'.repeat(100), list: [1, { a: 2 }] });
      },
      after: 'a',
    };
    expect(outer.carry(value)).to.deep.equal({
      before: 'b',
      now: { text: 'x'.repeat(100), list: [1, { a: 2 }] },
      after: 'a',
    });
  });

  it('may throw, which is the cause of the error, and nothing is sent', () => {
    const codec = new Codec();
    const reason = new Error('no');
    const value = {
      a: [
        {
          get b(): never {
            throw reason;
          },
        },
      ],
    };
    expect(throws(() => codec.encode(value), { code: 'ERR_MP_PICKLING' }).cause).to.equal(reason);
    expect(codec.carry(1)).to.equal(1);
  });

  it('may change the value', () => {
    const codec = new Codec();
    const map = new Map<string, unknown>([['a', { get x() { map.set('late', 1); return 1; } }]]); // prettier-ignore
    expect(codec.carry(map)).to.deep.equal(new Map([['a', { x: 1 }]]));
    const list: unknown[] = [{ get x() { list.length = 1; return 1; } }, 2, 3]; // prettier-ignore
    expect(deserialize(codec.encode(list))).to.have.lengthOf(3);
    const object: Record<string, unknown> = { get x() { delete object['y']; return 1; }, y: 2, z: 3 }; // prettier-ignore
    expect(codec.carry(object)).to.deep.equal({ x: 1, z: 3 });
  });
});

describe('Bytes that are no structured message', () => {
  const rich = {
    id: 1,
    name: 'some name',
    wide: '漢字',
    list: [1, 2.5, , 'x'], // eslint-disable-line no-sparse-arrays
    map: new Map([['k', { a: 1n }]]),
    set: new Set([1]),
    date: new Date(0),
    bytes: Buffer.from('abc'),
    view: new Float64Array([1, 2]),
    re: /a/g,
    again: undefined as unknown,
    other: Object.assign([1], { k: 2 }),
    7: 8,
  };
  rich.again = rich.list;

  /** V8 and this package agree about bytes, whatever they are. */
  function compare(codec: Codec, bytes: Uint8Array): void {
    const theirs = outcome(() => deserialize(bytes) as unknown);
    const ours = outcome(() => codec.decode(bytes));
    if ('error' in ours) expect((ours.error as { code: unknown }).code).to.equal('ERR_MP_UNPICKLING');
    // Some supported versions of Node have no such array, so no message has one.
    const hasNewArray = shown(theirs).includes('Float16Array(');
    // Not by deepStrictEqual: in Node 20 two dates that are none differ.
    if ('value' in theirs && !hasNewArray) expect(shown(ours)).to.equal(shown(theirs));
    else expect('error' in ours, Buffer.from(bytes).toString('hex')).to.equal(true);
  }

  it('are refused wherever the message is cut off', () => {
    const codec = new Codec();
    for (const message of [codec.encode(rich), serialize(rich)]) {
      for (let i = 0; i < message.length; i++) {
        throws(() => codec.decode(message.subarray(0, i)), { code: 'ERR_MP_UNPICKLING' });
      }
      deepStrictEqual(codec.decode(message), deserialize(message));
    }
  });

  const seed = freshSeed();
  it(`are read as V8 reads them, or refused as V8 refuses them (seed ${seed})`, () => {
    const codec = new Codec();
    const random = new Random(seed);
    const messages = [
      codec.encode(rich),
      serialize(rich),
      serialize([rich, carried['cycles']]),
      serialize(carried['objects of one kind']),
    ];
    for (let i = 0; i < 6000; i++) {
      const bytes = Buffer.from(random.pick(messages));
      for (let changes = random.below(3); changes >= 0; changes--) {
        bytes[2 + random.below(bytes.length - 2)] = random.pick([
          random.below(256),
          random.below(8),
          bytes[random.below(bytes.length)]!,
        ]);
      }
      compare(codec, bytes);
    }
  });

  it('use no memory that they do not bring along', () => {
    const codec = new Codec();
    const announced = {
      'a sparse array': [0x61, 0xff, 0xff, 0xff, 0x0f, 0x40, 0, 0xff, 0xff, 0xff, 0x0f],
      'a dense array': [0x41, 0xff, 0xff, 0xff, 0x7f],
      'a string': [0x22, 0xff, 0xff, 0xff, 0x7f, 0x61],
      'a wide string': [0x63, 0xfe, 0xff, 0xff, 0x7f, 0x61],
      'an ArrayBuffer': [0x42, 0xff, 0xff, 0xff, 0x7f, 1],
      'a typed array': [0x5c, 1, 0xff, 0xff, 0xff, 0x7f, 1],
      'a bigint': [0x5a, 0xf0, 0xff, 0xff, 0xff, 0x0f, 1],
      'an object that is not there': [0x5e, 5],
      'an object of this package': [0x5c, 0x7f, 0],
      'a key that comes twice': [0x6f, 0x22, 1, 0x61, 0x30, 0x22, 1, 0x61, 0x30, 0x7b, 2],
    };
    const before = process.memoryUsage.rss();
    for (const [what, bytes] of Object.entries(announced)) {
      const message = Buffer.from([0xff, 0x0f, ...bytes]);
      if (what === 'a sparse array') expect(codec.decode(message)).to.have.lengthOf(0x1ffffff);
      else throws(() => codec.decode(message), { code: 'ERR_MP_UNPICKLING' });
    }
    expect(process.memoryUsage.rss() - before).to.be.below(100 * 2 ** 20);
  });

  it('may be nested without end', () => {
    const codec = new Codec();
    for (const tags of [[0x41, 1], [0x6f, 0x22, 1, 0x61], [0x3b], [0x27], [0x00]]) {
      const message = Buffer.from([0xff, 0x0f, ...Array.from({ length: 30_000 / tags.length }, () => tags).flat()]);
      throws(() => codec.decode(message), { code: 'ERR_MP_UNPICKLING' });
    }
    expect(codec.carry('next')).to.equal('next');
  });

  it('may have ever new keys, which do not stay in memory', () => {
    const codec = new Codec();
    for (let i = 0; i < 3000; i++) {
      const object = Object.fromEntries([
        [`first ${i % 40}`, 1],
        [`second ${i}`, 2],
        [`third ${i}`, { [`x${i}`]: 3 }],
      ]);
      deepStrictEqual(codec.carry(object), object);
    }
  });
});

describe('A message that waits', () => {
  it('is not changed by the messages that are encoded after it', async () => {
    const { reader, writer } = makePair('pipe');
    const texts = Array.from({ length: 200 }, (_, i) => ({
      i,
      text: String.fromCharCode(97 + (i % 26)).repeat(2000 + 500 * i),
    }));
    const sent = texts.map((text) => writer.send(text));
    for (const text of texts) expect(await reader.recv()).to.deep.equal(text);
    await Promise.all(sent);
  });

  it('is not changed in a queue, where it waits for a slot', async () => {
    const queue = new Queue(1);
    const items = Array.from({ length: 20 }, (_, i) => ({ i, text: 'x'.repeat(i), bytes: Buffer.alloc(i, i) }));
    const puts = items.map((item) => queue.put(item));
    for (const item of items) expect(await queue.get()).to.deep.equal(item);
    await Promise.all(puts);
    queue.close();
    await queue.joinThread();
  });

  it('fails alone if it cannot be encoded', async () => {
    const { reader, writer } = makePair('pipe');
    const first = writer.send({ a: 'x'.repeat(200_000) });
    await rejects(writer.send({ a: 1, b: () => 1 }), { code: 'ERR_MP_PICKLING' });
    const last = writer.send('last');
    expect(((await reader.recv()) as { a: string }).a).to.equal('x'.repeat(200_000));
    expect(await reader.recv()).to.equal('last');
    await Promise.all([first, last]);
  });
});
