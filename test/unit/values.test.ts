// SPDX-License-Identifier: MIT
//
// What V8's format alone gets wrong. Arrays of one message shared the message's memory, from some size on; values of
// other realms were refused; objects of the platform arrived empty; an error with a cause could not be read by later
// versions of Node.
import { deepStrictEqual } from 'node:assert/strict';
import { on, once } from 'node:events';
import { deserialize, serialize } from 'node:v8';
import { createContext, runInContext } from 'node:vm';
import { Worker } from 'node:worker_threads';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import { makePair, modes, rejects, throws, track, via, type AnyConnection } from '../helpers/index.js';
import type { Arrays, Rest, Task } from './support/own-memory-worker.js';

/** Globals of Node that the types of this configuration do not have. */
const web = globalThis as unknown as Record<string, new (...args: unknown[]) => object>;

const foreign = (code: string): unknown => runInContext(`(${code})`, createContext({}));

describe('Buffers that are received', () => {
  for (const mode of modes) {
    // Regression: short ones were parts of a pool, which transferring one of them emptied.
    it(`share their memory with nothing, at every length (${mode})`, async () => {
      const { reader, writer } = makePair('socketpair');
      for (const length of [0, 1, 63, 64, 65, 1000, 4095, 4096, 5000, 16_384, 20_000]) {
        const bytes = Buffer.alloc(length, 7);
        const sent = [writer.sendBytes(bytes), writer.send(bytes), writer.send([bytes])];
        const received = [
          await via(mode, reader).recvBytes(),
          (await via(mode, reader).recv()) as Buffer,
          ((await via(mode, reader).recv()) as [Buffer])[0],
        ];
        await Promise.all(sent);
        for (const one of received) {
          expect(Buffer.isBuffer(one)).to.equal(true);
          expect(one).to.deep.equal(bytes);
          // A long message that is one Buffer may keep the few bytes in front of that.
          expect(one.buffer.byteLength - length).to.be.within(0, length > 16_000 ? 16 : 0);
          structuredClone(one.buffer, { transfer: [one.buffer as ArrayBuffer] });
          expect(one.length).to.equal(0);
        }
      }
    });
  }

  it('and those of queues and pickles, too', async () => {
    const queue = new mp.Queue<Buffer>();
    const { reader, writer } = makePair('socketpair', { serialization: 'pickle' });
    for (const length of [1, 64, 65, 4000]) {
      await queue.put(Buffer.alloc(length, 1));
      await writer.send(Buffer.alloc(length, 1));
      for (const one of [await queue.get(), (await reader.recv()) as Buffer]) {
        expect(one).to.deep.equal(Buffer.alloc(length, 1));
        expect(one.buffer.byteLength).to.equal(length);
      }
    }
    queue.close();
  });
});

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

describe('Arrays that a worker thread receives', () => {
  for (const mode of modes) {
    it(`share their memory with nothing, at every length, and can be given away (${mode})`, async () => {
      const { reader, writer } = makePair('socketpair');
      const lengths = [0, 1, 3, 64, 65, 1000, 4096, 16_384, 20_000, 300_000];
      const task: Task = { descriptor: mp.describe(reader), mode, count: lengths.length };
      const worker = new Worker(new URL('./support/own-memory-worker.js', import.meta.url), { workerData: task });
      const ended = once(worker, 'exit');
      const posted = on(worker, 'message', { close: ['exit'] })[Symbol.asyncIterator]();
      const next = async (): Promise<unknown> => ((await posted.next()).value as unknown[])[0];
      for (const length of lengths) {
        const value = {
          first: new Uint8Array(length).fill(1),
          second: new Uint8Array(length).fill(2),
          third: new Float64Array(length).fill(3),
        } satisfies Arrays;
        const bytes = Buffer.alloc(length, 4);
        const sent = [writer.send(value), writer.sendBytes(bytes)];
        expect(await next()).to.deep.equal(value.first);
        const { memory, others } = (await next()) as Rest;
        expect(memory.slice(0, 3)).to.deep.equal([length, length, 8 * length]);
        // A long message may have memory of its own that is a little longer.
        expect(memory[3]! - length).to.be.within(0, length > 16_000 ? 64 : 0);
        expect(others).to.deep.equal([value.second, value.third, new Uint8Array(bytes)]);
        await Promise.all(sent);
      }
      expect(await ended).to.deep.equal([0]);
    });
  }
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

  it("are in a pickle what one's own are", () => {
    const code = `({
      arrays: [new Float64Array([1, 2]), new Int16Array([3]), new Uint8Array([4]), new DataView(new ArrayBuffer(2))],
      map: new Map([[[1, [2]], new Map()], ['k', new Set([[3]])]]),
      sets: [new Set([new Set([1]), [new Set()]])],
      date: new Date(5),
      error: new RangeError('r'),
      boxed: [new Number(1), new String('s')],
      big: 2n ** 70n,
    })`;
    const own = (0, eval)(code) as unknown;
    expect(mp.pickle.dumps(foreign(code))).to.deep.equal(mp.pickle.dumps(own));
  });

  it('are errors, also when they fail a serialization', () => {
    const Class = class {
      readonly field = 1;
    };
    const encode = foreign('() => { throw new TypeError("of the user"); }') as () => never;
    mp.pickle.register({ module: 'realms', name: 'C', class: Class, decode: () => new Class(), encode });
    const error = throws(() => mp.pickle.dumps(new Class()), { code: 'ERR_MP_PICKLING' });
    expect(error.message).to.include('of the user').and.not.include('TypeError');
  });

  it('are AbortSignals, URLs and plain objects as arguments', async () => {
    // Another class of a standard interface, as that of jsdom is.
    class OtherSignal extends EventTarget {
      aborted = false;
      reason: unknown;
      abort(reason: unknown): void {
        this.aborted = true;
        this.reason = reason;
        this.dispatchEvent(new web['Event']!('abort') as Event);
      }
    }
    const { reader } = makePair('socketpair');
    const signal = new OtherSignal();
    const received = rejects(reader.recv({ signal: signal as unknown as AbortSignal }), { code: 'ABORT_ERR' });
    signal.abort('why');
    expect((await received).cause).to.equal('why');
    for (const wrong of [null, {}, { aborted: false }, 'signal', new EventTarget()]) {
      await rejects(reader.recv({ signal: wrong as AbortSignal }), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    const { href, protocol } = new URL('file:///tmp/x.mjs');
    const other = { href, protocol, pathname: '/tmp/x.mjs', hostname: '', toString: () => href } as unknown as URL;
    expect(new mp.Process({ module: other, target: 'work', cwd: other }).isAlive()).to.equal(false);
    const kwargs = foreign('{ a: 1 }') as Record<string, unknown>;
    expect(new mp.PythonProcess({ target: 'm:f', kwargs, pythonPath: other }).isAlive()).to.equal(false);
    throws(() => new mp.Process({ module: { href } as URL, target: 'work' }), { code: 'ERR_INVALID_ARG_TYPE' });
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

  it('may lack a message or a stack', async () => {
    const { reader, writer } = makePair('socketpair');
    const error = new Error(undefined, { cause: 1 });
    const bare = new Error('m', { cause: 2 });
    Object.defineProperty(bare, 'stack', { value: undefined });
    await writer.send([error, bare]);
    const [first, second] = (await reader.recv()) as [Error, Error];
    expect([first.message, first.stack, first.cause]).to.deep.equal(['', error.stack, 1]);
    expect([second.message, second.cause]).to.deep.equal(['m', 2]);
  });

  it('are refused inside their own causes, as older versions of Node cannot read that', async () => {
    // Regression: such an error was sent, and Node 20 could not decode it.
    const { reader, writer } = makePair('socketpair');
    const own = new Error('m');
    own.cause = own;
    const deep = new TypeError('m', { cause: { list: [1, new Error('n')] } });
    (deep.cause as { list: Error[] }).list[1]!.cause = new Map([['k', deep]]);
    for (const [value, path] of [
      [own, 'value.cause'],
      [[deep], 'value[0].cause.list[1].cause.get("k")'],
    ] as const) {
      const { message } = await rejects(writer.send(value), { code: 'ERR_MP_PICKLING' });
      expect(message).to.include(`${path} is an error inside its own cause`);
      throws(() => writer.sendSync(value), { code: 'ERR_MP_PICKLING' });
    }
    // What holds an error may be in its cause, and an error may be met again.
    const holder: { error?: Error } = {};
    holder.error = new Error('m', { cause: holder });
    await writer.send([holder, holder.error]);
    const [first, second] = (await reader.recv()) as [Required<typeof holder>, Error];
    expect(first.error).to.equal(second);
    expect(first.error.cause).to.equal(first);
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
