// SPDX-License-Identifier: MIT
//
// Objects of the platform, whose state V8's serialiser does not see, and objects whose prototype says nothing of them: they
// arrived empty.
import { deepStrictEqual } from 'node:assert/strict';
import { createECDH, createHash, createSecretKey } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { opendirSync, readdirSync, statSync } from 'node:fs';
import { BlockList } from 'node:net';
import { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { MIMEType } from 'node:util';
import { createContext, runInContext } from 'node:vm';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import { makePair, modes, rejects, throws, via } from '../helpers/index.js';

/** Globals of Node that the types of this configuration do not have. */
const web = globalThis as unknown as Record<string, new (...args: unknown[]) => object>;

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
    // Classes that are no globals, but exports of Node's modules.
    MIMEType: () => new MIMEType('text/plain'),
    KeyObject: () => createSecretKey(Buffer.alloc(16)),
    ECDH: () => createECDH('secp256k1'),
    Hash: () => createHash('sha256'),
    BlockList: () => new BlockList(),
    Dir: () => {
      const opened = opendirSync('/');
      opened.closeSync();
      return opened;
    },
    Dirent: () => readdirSync('/', { withFileTypes: true })[0],
    StringDecoder: () => new StringDecoder(),
    Readable: () => new Readable(),
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
    class Emits extends EventEmitter {
      readonly n = 1;
    }
    const { reader, writer } = makePair('socketpair');
    const stats = statSync('/');
    await writer.send([new Emits(), stats]);
    const [emits, status] = (await reader.recv()) as [Emits, typeof stats];
    expect([emits.n, status.ino, status.mtimeMs]).to.deep.equal([1, stats.ino, stats.mtimeMs]);
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

describe('Values whose prototype was replaced', () => {
  class Class {
    readonly field = 1;
  }
  const prototypes = [
    null,
    Object.prototype,
    {},
    Class.prototype,
    Array.prototype,
    runInContext('Object.prototype', createContext()),
  ];
  const kinds: (() => object)[] = [
    () => new Map([[1, new Set([2])]]),
    () => new Set([1]),
    () => new Date(5),
    () => Object.assign(new Error('m'), { stack: 'Error: m', code: 1 }),
    () => new Uint8Array([1, 2]).buffer,
    () => new Uint8Array([1, 2]),
    () => new Float64Array([1, 2]).subarray(1),
    () => new DataView(new ArrayBuffer(5), 2),
    ...[5, 'text', true, 5n].map((value) => () => Object(value) as object),
    () => [1, 2],
    () => /a/g,
    () => Promise.resolve(),
    () => new SharedArrayBuffer(2),
  ];

  // Regression: most of them arrived as objects without fields, views without their elements.
  for (const serialization of ['structured', 'pickle'] as const) {
    it(`arrive as what they are, or are refused (${serialization})`, () => {
      const { reader, writer } = makePair('pipe', { serialization });
      const carry = (value: unknown): unknown => {
        try {
          writer.sendSync({ a: [value] });
        } catch (error) {
          expect(error).to.include({ code: 'ERR_MP_PICKLING' }).and.property('message').that.includes('value.a[0] ');
          return 'refused';
        }
        return reader.recvSync();
      };
      for (const make of kinds) {
        const expected = carry(make());
        for (const prototype of prototypes) {
          const value = carry(Object.setPrototypeOf(make(), prototype));
          // Some pickles of the first kinds are refused.
          if (serialization === 'structured' || value !== 'refused') deepStrictEqual(value, expected);
        }
      }
    });
  }
});
