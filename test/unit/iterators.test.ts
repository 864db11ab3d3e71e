// SPDX-License-Identifier: MIT
//
// Ending an iteration reaches the call that waits. It ends at once, and the next item stays for the next reader.
import { Readable } from 'node:stream';

import { expect } from 'chai';
import { Client, Connection, JoinableQueue, Queue, SimpleQueue } from 'node-multiprocessing';

import { kinds, listen, makePair, ownTmpdir, rejects, track, turns, type AnyConnection } from '../helpers/index.js';

/** Something that is iterated over, and its parts for a test. */
interface Source {
  readonly iterable: AsyncIterable<unknown, void, undefined>;
  /** Makes the next item. */
  supply(value: number): unknown;
  /** The next item, for another reader. */
  take(): Promise<unknown>;
  close(): void;
}

function ofQueue(queue: Queue | SimpleQueue): Source {
  return {
    iterable: queue,
    supply: (value) => queue.put(value),
    take: () => queue.get(),
    close: () => queue.close(),
  };
}

function ofListener(): Source {
  const listener = listen('unix', { authkey: Buffer.from('key') });
  return {
    iterable: listener,
    supply: async (value) => {
      const connection = await Client(listener.address, { authkey: Buffer.from('key') });
      await track(connection as AnyConnection).send(value);
    },
    take: async () => await track(await listener.accept()).recv(),
    close: () => listener.close(),
  };
}

const sources: [string, () => Source][] = [
  ...kinds.map((kind): [string, () => Source] => [
    `a Connection (${kind})`,
    () => {
      const { reader, writer } = makePair(kind);
      return {
        iterable: reader,
        supply: (value) => writer.send(value),
        take: () => reader.recv(),
        close: () => reader.close(),
      };
    },
  ]),
  ['a Queue', () => ofQueue(new Queue())],
  ['a JoinableQueue', () => ofQueue(new JoinableQueue())],
  ['a SimpleQueue', () => ofQueue(new SimpleQueue())],
  ['a Listener', ofListener],
];

const DONE = { done: true, value: undefined };

describe('Iterating', function () {
  ownTmpdir();

  for (const [name, make] of sources) {
    const test = (title: string, body: (source: Source) => Promise<void>): void => {
      it(`${title} (${name})`, async function () {
        const source = make();
        try {
          await body(source);
        } finally {
          source.close();
        }
      });
    };

    test('return() ends a next() that waits at once, and the next item stays', async ({ iterable, supply, take }) => {
      // Regression: both waited for the next item, which was lost.
      const iterator = iterable[Symbol.asyncIterator]();
      const waiting = [iterator.next(), iterator.next()];
      await turns();
      expect(await iterator.return!()).to.deep.equal(DONE);
      expect(await Promise.all(waiting)).to.deep.equal([DONE, DONE]);
      expect(await iterator.next()).to.deep.equal(DONE);
      const supplied = supply(1);
      expect(await take()).to.equal(1);
      await supplied;
    });

    test('throw() does the same, and rejects', async ({ iterable, supply, take }) => {
      const iterator = iterable[Symbol.asyncIterator]();
      const waiting = iterator.next();
      await turns();
      await rejects(iterator.throw!(Object.assign(new Error('thrown'), { code: 'THROWN' })), { code: 'THROWN' });
      expect(await waiting).to.deep.equal(DONE);
      const supplied = supply(2);
      expect(await take()).to.equal(2);
      await supplied;
    });

    for (const error of [undefined, Object.assign(new Error('destroyed'), { code: 'DESTROYED' })]) {
      test(`a stream that is destroyed ${error ? 'with an error ' : ''}takes no item along`, async (source) => {
        const stream = Readable.from(source.iterable);
        let code: unknown;
        stream.once('error', (failure: NodeJS.ErrnoException) => (code = failure.code));
        stream.resume();
        await turns();
        const closed = new Promise((resolve) => stream.once('close', resolve));
        stream.destroy(error);
        await closed;
        expect(code).to.equal(error?.code);
        const supplied = source.supply(3);
        expect(await source.take()).to.equal(3);
        await supplied;
      });
    }

    test('another iteration goes on where one was left', async ({ iterable, supply, take }) => {
      const supplied: unknown[] = [];
      const first = iterable[Symbol.asyncIterator]();
      const waiting = first.next();
      supplied.push(supply(4));
      const { done, value } = await waiting;
      expect(done).to.equal(false);
      if (value instanceof Connection) track(value as AnyConnection);
      await first.return!();
      const second = iterable[Symbol.asyncIterator]();
      const next = second.next();
      await turns();
      await second.return!();
      expect(await next).to.deep.equal(DONE);
      supplied.push(supply(5));
      expect(await take()).to.equal(5);
      await Promise.all(supplied);
    });
  }
});
