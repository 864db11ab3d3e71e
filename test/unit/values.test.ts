// SPDX-License-Identifier: MIT
//
// What V8's format alone gets wrong. Arrays of one message shared the message's memory, from some size on; values of
// other realms were refused; objects of the platform arrived empty; an error with a cause could not be read by later
// versions of Node.
import { deepStrictEqual } from 'node:assert/strict';
import { createContext, runInContext } from 'node:vm';
import { deserialize, serialize } from 'node:v8';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import { makePair, modes, rejects, throws, track, via, type AnyConnection } from '../helpers/index.js';

/** Globals of Node that the types of this configuration do not have. */
const web = globalThis as unknown as Record<string, new (...args: unknown[]) => object>;

const foreign = (code: string): unknown => runInContext(`(${code})`, createContext({}));

describe('Arrays in a message', () => {
  for (const mode of modes) {
    for (const size of [3, 1000, 20_000, 1 << 20]) {
      it(`share their memory with nothing, and can be transferred: ${size} bytes (${mode})`, async () => {
        const { reader, writer } = makePair('socketpair');
        const value = {
          a: new Uint8Array(size).fill(1),
          b: Buffer.alloc(size, 2),
          c: new Float64Array(size).fill(3),
          d: new DataView(new ArrayBuffer(size)),
        };
        const sent = writer.send(value);
        const received = (await reader.recv()) as typeof value;
        await sent;
        expect(received).to.deep.equal(value);
        const buffers = [received.a.buffer, received.b.buffer, received.c.buffer, received.d.buffer] as ArrayBuffer[];
        expect(new Set(buffers).size).to.equal(4);
        expect(buffers.map(({ byteLength }) => byteLength)).to.deep.equal([size, size, 8 * size, size]);
        structuredClone(buffers[0], { transfer: [buffers[0] as ArrayBuffer] });
        expect(received.b).to.deep.equal(value.b);
        await via(mode, writer).send(new Uint8Array(3));
        expect(((await via(mode, reader).recv()) as Uint8Array).buffer.byteLength).to.equal(3);
      });
    }
  }

  it('share it with nothing if they are beside a Connection', async () => {
    const { reader, writer } = makePair('socketpair');
    const { reader: end } = makePair('pipe');
    const sent = writer.send({ end, a: new Uint8Array(50_000), b: new Uint16Array(3) });
    const received = (await reader.recv()) as { end: AnyConnection; a: Uint8Array; b: Uint16Array };
    await sent;
    track(received.end);
    expect(received.a.buffer).not.to.equal(received.b.buffer);
    expect(received.b.buffer.byteLength).to.equal(6);
  });

  it('keep the memory of the message only if they are nearly all of it', async () => {
    const { reader, writer } = makePair('socketpair');
    const sent = writer.send({ name: 'x', data: new Uint8Array(1 << 20).fill(7) });
    const { data } = (await reader.recv()) as { data: Uint8Array };
    await sent;
    expect(data.buffer.byteLength).to.be.at.most(1.1 * data.byteLength);
    expect(data.every((byte) => byte === 7)).to.equal(true);
  });
});

describe('Values of another realm', () => {
  const values: Record<string, string> = {
    ArrayBuffer: 'new Uint8Array([1, 2, 3]).buffer',
    Uint8Array: 'new Uint8Array([1, 2, 3])',
    DataView: 'new DataView(new Uint8Array([1, 2, 3]).buffer)',
    SharedArrayBuffer: 'new SharedArrayBuffer(3)',
  };
  for (const mode of modes) {
    it(`are bytes as one's own are (${mode})`, async () => {
      const { reader, writer } = makePair('socketpair');
      for (const code of Object.values(values)) {
        await via(mode, writer).sendBytes(foreign(code) as Uint8Array);
        expect((await via(mode, reader).recvBytes()).length).to.equal(3);
        await via(mode, writer).sendBytes(Buffer.from('abc'));
        expect(await via(mode, reader).recvBytesInto(foreign(code) as Uint8Array)).to.equal(3);
      }
    });

    it(`may contain Connections (${mode})`, async () => {
      const { reader, writer } = makePair('socketpair');
      const make = foreign(
        '(end) => ({ list: [end], map: new Map([[1, end]]), set: new Set([end]), error: new Error("m", { cause: end }) })',
      ) as (end: unknown) => object;
      const { reader: end } = makePair('pipe');
      await via(mode, writer).send(make(end));
      const received = (await via(mode, reader).recv()) as {
        list: unknown[];
        map: Map<number, unknown>;
        set: Set<unknown>;
        error: Error;
      };
      const arrived = track(received.list[0] as AnyConnection);
      expect(arrived).to.be.instanceOf(mp.Connection);
      expect(received.map.get(1)).to.equal(arrived);
      expect(received.set.has(arrived)).to.equal(true);
      expect(received.error.cause).to.equal(arrived);
    });
  }

  it('are numbers, dates and typed arrays of a pickle', () => {
    const pickled = mp.pickle.loads(mp.pickle.dumps(foreign('[new Float64Array([1, 2]), new Int16Array([3])]')));
    expect(pickled).to.deep.equal(mp.pickle.loads(mp.pickle.dumps([new Float64Array([1, 2]), new Int16Array([3])])));
  });

  it('may be the result of a serialization', async () => {
    const { reader, writer } = makePair('socketpair', {
      serialization: {
        serialize: () => foreign('new Uint8Array([1])') as Uint8Array,
        deserialize: (bytes) => bytes[0],
      },
    });
    await writer.send('any');
    expect(await reader.recv()).to.equal(1);
  });
});

describe('Objects of the platform', () => {
  const objects: Record<string, () => unknown> = {
    'WebAssembly.Module': () => {
      const { Module } = (globalThis as unknown as { WebAssembly: { Module: new (bytes: Uint8Array) => object } })
        .WebAssembly;
      return new Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    },
    URL: () => new URL('http://host/path'),
    URLSearchParams: () => new URLSearchParams('a=b'),
    Headers: () => new web['Headers']!({ a: 'b' }),
    Request: () => new web['Request']!('http://host/'),
    Response: () => new web['Response']!('text'),
    FormData: () => new web['FormData']!(),
    Blob: () => new web['Blob']!(['text']),
    ReadableStream: () => new web['ReadableStream']!(),
    AbortSignal: () => AbortSignal.abort(),
    AbortController: () => new AbortController(),
    Event: () => new web['Event']!('x'),
    MessageEvent: () => new web['MessageEvent']!('x'),
    EventTarget: () => new EventTarget(),
    TextDecoder: () => new TextDecoder(),
    WeakMap: () => new WeakMap(),
    Promise: () => Promise.resolve(),
    Proxy: () => new Proxy({}, {}),
    'a derived class': () => new (class Mine extends URL {})('http://host/'),
    'a function': () => () => 0,
  };
  const places: [string, (object: unknown) => unknown][] = [
    ['value', (object) => object],
    ['value.a[1].b', (object) => ({ a: [0, { b: object }] })],
    ['value.get("key")', (object) => new Map([['key', object]])],
    ['value.keys()[0]', (object) => new Map([[object, 1]])],
    ['value.values()[1]', (object) => new Set([1, object])],
    ['value.cause', (object) => new Error('m', { cause: object })],
    ['value["not a name"]', (object) => Object.assign(Object.create(null) as object, { 'not a name': object })],
    ['value.list[9000]', (object) => ({ list: [...new Array<string>(9000).fill('text'), object] })],
  ];
  for (const [what, make] of Object.entries(objects)) {
    it(`are refused by the sender, with the path: ${what}`, async () => {
      const { reader, writer } = makePair('socketpair');
      const queue = new mp.Queue();
      for (const [path, place] of places) {
        const value = place(make());
        for (const mode of modes) {
          const error = await rejects(via(mode, writer).send(value), { code: 'ERR_MP_PICKLING' });
          expect(`${error.message} `)
            .to.match(/^[^ ]+( name"\])? /)
            .and.include(`${path} `);
        }
        await rejects(queue.put(value), { code: 'ERR_MP_PICKLING' });
        await rejects(writer.send([reader, value]), { code: 'ERR_MP_PICKLING' });
        const process = new mp.Process({ module: import.meta.url, target: 'none', args: [value] });
        const refused = throws(() => process.start(), { code: 'ERR_MP_PICKLING' });
        expect(refused.message).to.include(`args[0]${path.slice('value'.length)} `);
      }
      queue.close();
      expect(await reader.poll()).to.equal(false);
    });
  }

  it('are told from those of the user, which arrive as their fields', async () => {
    class URL2 {
      readonly href = 'x';
    }
    class Empty {
      method(): number {
        return 1;
      }
    }
    class Headers {
      readonly #unseen = 1;
      get seen(): number {
        return this.#unseen;
      }
    }
    const { reader, writer } = makePair('socketpair');
    const shared = { n: 1 };
    const value = { a: new URL2(), b: new Empty(), c: new Headers(), shared, again: shared, self: null as unknown };
    value.self = value;
    await writer.send(value);
    const received = (await reader.recv()) as typeof value;
    expect(received.a).to.deep.equal({ href: 'x' });
    expect([received.b, received.c]).to.deep.equal([{}, {}]);
    expect(received.self).to.equal(received);
    expect(received.again).to.equal(received.shared);
  });

  it('may be errors, as the reason of an AbortSignal is', async () => {
    const { reader, writer } = makePair('socketpair');
    const { reason } = AbortSignal.abort() as { reason: Error };
    await writer.send({ reason });
    const received = ((await reader.recv()) as { reason: Error }).reason;
    expect(received).to.be.instanceOf(Error);
    expect([received.message, received.stack]).to.deep.equal([reason.message, reason.stack]);
  });
});

describe('Errors with a cause', () => {
  const texts = ['', 'plain', 'ümläut', '漢字', 'odd', 'x'.repeat(300)];
  for (const text of texts) {
    it(`have it behind the stack, where all versions of Node read it: "${text.slice(0, 10)}"`, async () => {
      const { reader, writer } = makePair('socketpair');
      const cause = new RangeError('the cause', { cause: [text, new Error('last', { cause: 5 })] });
      const error = new TypeError(text, { cause });
      const value = { before: '漢', error, again: error, after: ['漢字', text] };
      await writer.send(value);
      const bytes = await reader.recvBytes();
      const at = (what: string): number => Math.max(bytes.indexOf(what), bytes.indexOf(what, 0, 'utf16le'));
      expect(at('TypeError')).to.be.greaterThan(0).and.lessThan(at('the cause'));
      expect(at('the cause')).to.be.lessThan(at('RangeError')).and.lessThan(at('last'));
      const received = deserialize(bytes) as typeof value;
      expect([received.before, received.after]).to.deep.equal(['漢', ['漢字', text]]);
      expect(received.again).to.equal(received.error);
      for (const [one, other] of [
        [received.error, error],
        [received.error.cause as Error, cause],
      ] as const) {
        expect(one.constructor).to.equal(other.constructor);
        expect([one.message, one.stack]).to.deep.equal([other.message, other.stack]);
      }
    });
  }

  it('may lack a message or a stack, or be their own cause', async () => {
    const { reader, writer } = makePair('socketpair');
    const error = new Error(undefined, { cause: 1 });
    const bare = new Error('m', { cause: 2 });
    Object.defineProperty(bare, 'stack', { value: undefined });
    await writer.send([error, bare]);
    const [first, second] = (await reader.recv()) as [Error, Error];
    expect([first.message, first.stack, first.cause]).to.deep.equal(['', error.stack, 1]);
    expect([second.message, second.cause]).to.deep.equal(['m', 2]);
  });

  it('are read as V8 writes them', async () => {
    const { reader, writer } = makePair('socketpair');
    await writer.sendBytes(serialize(new Error('m', { cause: 1 })));
    expect(((await reader.recv()) as Error).message).to.equal('m');
  });
});

describe('An object of this package', () => {
  const make: Record<string, () => { close(): void }> = {
    Connection: () => makePair('socketpair').reader,
    Queue: () => new mp.Queue(),
    JoinableQueue: () => new mp.JoinableQueue(),
    SimpleQueue: () => new mp.SimpleQueue(),
    Lock: () => new mp.Lock(),
    Condition: () => new mp.Condition(),
    Event: () => new mp.Event(),
  };
  for (const [name, open] of Object.entries(make)) {
    it(`can be spread and compared, and names its class and a way where it cannot go: ${name}`, () => {
      const object = open();
      expect(Object.keys({ ...object })).to.include('shareable');
      deepStrictEqual({ object }, { object });
      expect({ object }).to.deep.equal({ object });
      expect(object).not.to.deep.equal(make[name === 'Queue' ? 'Lock' : 'Queue']);
      const carriers: ((value: unknown) => unknown)[] = [JSON.stringify, structuredClone, serialize];
      for (const carry of carriers) {
        for (const value of [object, [{ object }], { ...object }]) {
          const { message } = throws(() => carry(value), { code: 'ERR_MP_NOT_SUPPORTED' });
          expect(message).to.match(new RegExp(`class ${name} .*args of a Process.*describe\\(\\)`));
        }
      }
      object.close();
    });
  }
});

describe('An item longer than maxMessageBytes', () => {
  for (const [name, make] of Object.entries({
    Queue: () => new mp.Queue({ maxMessageBytes: 20_000 }),
    JoinableQueue: () => new mp.JoinableQueue({ maxMessageBytes: 20_000 }),
    SimpleQueue: () => new mp.SimpleQueue({ maxMessageBytes: 20_000 }),
  })) {
    it(`is refused by put, and the queue goes on: ${name}`, async () => {
      // Every process that used the queue found it broken.
      const queue = make();
      for (const item of [Buffer.alloc(20_000), 'x'.repeat(20_000), Buffer.alloc(30_000)]) {
        await rejects(queue.put(item), { code: 'ERR_MP_PICKLING' });
        throws(() => queue.putSync(item), { code: 'ERR_MP_PICKLING' });
        if (queue instanceof mp.Queue) throws(() => queue.putNowait(item), { code: 'ERR_MP_PICKLING' });
      }
      await queue.put(Buffer.alloc(19_000, 1));
      expect(await queue.get()).to.deep.equal(Buffer.alloc(19_000, 1));
      queue.close();
    });
  }
});
