// SPDX-License-Identifier: MIT
//
// Waits that end early. No message that was received or accepted may be lost by that.
import { expect } from 'chai';
import { ClientSync, Lock, Queue, wait } from 'node-multiprocessing';

import {
  frame,
  header,
  kinds,
  listen,
  makePair,
  TOO_LONG,
  modes,
  ownTmpdir,
  pattern,
  rejects,
  throws,
  track,
  turns,
  via,
  within,
  writeRaw,
  type Calls,
} from '../helpers/index.js';

const receives: [string, (input: Calls, timeout: number) => Promise<unknown>][] = [
  ['recv', (input, timeout) => input.recv({ timeout })],
  ['recvBytes', (input, timeout) => input.recvBytes(undefined, { timeout })],
  ['recvBytesInto', (input, timeout) => input.recvBytesInto(Buffer.alloc(9), 0, { timeout })],
];

describe('A timeout', () => {
  for (const kind of kinds) {
    for (const mode of modes) {
      for (const [name, receive] of receives) {
        it(`ends ${name} with TimeoutError, not before its time (${kind}, ${mode})`, async () => {
          const { reader } = makePair(kind);
          const before = performance.now();
          await rejects(receive(via(mode, reader), 30.5), { code: 'ERR_MP_TIMEOUT', name: 'TimeoutError' });
          expect(performance.now() - before).to.be.at.least(30.5);
          for (const timeout of [0, -5, -Infinity])
            await rejects(receive(via(mode, reader), timeout), { code: 'ERR_MP_TIMEOUT' });
        });
      }

      it(`may be undefined, null or Infinity for none; with 0 a message that is there is received (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        for (const timeout of [undefined, null, Infinity, 0, -1, 0.1]) {
          writer.sendBytesSync(Buffer.from('x'));
          expect(String(await via(mode, reader).recvBytes(undefined, { timeout }))).to.equal('x');
        }
      });

      it(`inside a small message loses nothing (${kind}, ${mode})`, async () => {
        const bytes = frame('in three parts');
        for (const readAhead of [true, false]) {
          const { reader, writer } = makePair(kind, { readAhead });
          for (const part of [bytes.subarray(0, 2), bytes.subarray(2, 9)]) {
            writeRaw(writer, part);
            await rejects(via(mode, reader).recvBytes(undefined, { timeout: 10 }), { code: 'ERR_MP_TIMEOUT' });
          }
          writeRaw(writer, bytes.subarray(9));
          expect(String(await via(mode, reader).recvBytes())).to.equal('in three parts');
        }
      });

      it(`inside a large message loses nothing (${kind}, ${mode})`, async () => {
        const { reader, writer } = makePair(kind);
        const message = pattern(200_000);
        writeRaw(writer, header(message.length));
        for (let done = 0; done < message.length; done += 50_000) {
          writeRaw(writer, message.subarray(done, done + 50_000));
          if (done < 150_000) {
            await rejects(via(mode, reader).recvBytes(undefined, { timeout: 10 }), { code: 'ERR_MP_TIMEOUT' });
          }
        }
        const target = Buffer.alloc(200_001);
        expect(await via(mode, reader).recvBytesInto(target, 1)).to.equal(200_000);
        expect(target.subarray(1).equals(message)).to.equal(true);
      });
    }

    it(`lets the other form finish a receive that one form has begun (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const message = pattern(150_000);
      writeRaw(writer, Buffer.concat([header(message.length), message.subarray(0, 40_000)]));
      await rejects(reader.recvBytes(undefined, { timeout: 5 }), { code: 'ERR_MP_TIMEOUT' });
      writeRaw(writer, message.subarray(40_000, 90_000));
      throws(() => reader.recvBytesSync(undefined, { timeout: 5 }), { code: 'ERR_MP_TIMEOUT' });
      expect(reader.tryRecvBytes()).to.equal(undefined);
      writeRaw(writer, message.subarray(90_000));
      expect(reader.tryRecvBytes()?.equals(message)).to.equal(true);
    });

    it(`of a receive leaves those behind it pending (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const first = reader.recvBytes(undefined, { timeout: 5 });
      const second = reader.recvBytes();
      await rejects(first, { code: 'ERR_MP_TIMEOUT' });
      await writer.sendBytes(Buffer.from('for the second'));
      expect(String(await second)).to.equal('for the second');
    });
  }
});

describe('An abort', () => {
  for (const kind of kinds) {
    it(`ends a receive with an AbortError whose cause is the reason (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const reason = new Error('changed my mind');
      const abort = new AbortController();
      const pending = [
        reader.recv({ signal: abort.signal }),
        reader.recvBytes(undefined, { signal: abort.signal }),
        reader.recvBytesInto(Buffer.alloc(1), 0, { signal: abort.signal }),
      ];
      const behind = reader.recvBytes();
      abort.abort(reason);
      for (const promise of pending) await rejects(promise, { code: 'ABORT_ERR', name: 'AbortError', cause: reason });
      await writer.sendBytes(Buffer.from('kept'));
      expect(String(await behind)).to.equal('kept');
    });

    it(`inside a message loses nothing (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const message = pattern(100_000);
      writeRaw(writer, Buffer.concat([header(message.length), message.subarray(0, 50_000)]));
      const abort = new AbortController();
      const pending = reader.recvBytes(undefined, { signal: abort.signal });
      await turns();
      abort.abort();
      await rejects(pending, { code: 'ABORT_ERR' });
      writeRaw(writer, message.subarray(50_000));
      expect((await reader.recvBytes()).equals(message)).to.equal(true);
    });

    it(`before a call makes the call fail before it does anything (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const options = { signal: AbortSignal.abort('early') };
      await writer.sendBytes(Buffer.from('stays'));
      for (const promise of [
        reader.recv(options),
        reader.recvBytes(undefined, options),
        reader.recvBytesInto(Buffer.alloc(9), 0, options),
        writer.send(1, options),
        writer.sendBytes(Buffer.from('not sent'), 0, undefined, options),
      ]) {
        await rejects(promise, { code: 'ABORT_ERR', cause: 'early' });
      }
      throws(() => reader.recvSync(options), { code: 'ABORT_ERR' });
      throws(() => writer.sendSync(1, options), { code: 'ABORT_ERR' });
      expect(String(await reader.recvBytes())).to.equal('stays');
      expect(await reader.poll()).to.equal(false);
    });

    it(`takes a waiting send back whole, or lets a begun one finish (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const abort = new AbortController();
      const begun = writer.sendBytes(pattern(TOO_LONG), 0, undefined, { signal: abort.signal });
      const waiting = writer.sendBytes(Buffer.from('taken back'), 0, undefined, { signal: abort.signal });
      const after = writer.sendBytes(Buffer.from('after'));
      abort.abort();
      await rejects(begun, { code: 'ABORT_ERR' });
      await rejects(waiting, { code: 'ABORT_ERR' });
      expect((await reader.recvBytes()).equals(pattern(TOO_LONG))).to.equal(true);
      expect(String(await reader.recvBytes())).to.equal('after');
      await after;
    });

    it(`leaves no listener behind (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const { signal } = new AbortController();
      let listeners = 0;
      const add = signal.addEventListener.bind(signal);
      const remove = signal.removeEventListener.bind(signal);
      signal.addEventListener = (...args: Parameters<typeof add>) => {
        listeners++;
        add(...args);
      };
      signal.removeEventListener = (...args: Parameters<typeof remove>) => {
        listeners--;
        remove(...args);
      };
      const pending = reader.recvBytes(undefined, { signal });
      expect(listeners).to.equal(1);
      await writer.sendBytes(Buffer.from('x'));
      await pending;
      await rejects(reader.recvBytes(undefined, { signal, timeout: 5 }), { code: 'ERR_MP_TIMEOUT' });
      expect(listeners).to.equal(0);
    });
  }
});

describe('The time limit of a put', () => {
  // Regression: it began anew when a slot was free, for the wait until the item was written.
  it('is one for both of its waits: for a slot, and until enough is written', async () => {
    const queue = new Queue<unknown>({ maxsize: 1, highWaterMark: 1000 });
    const { now } = performance;
    try {
      queue.putSync('first');
      const put = queue.put(Buffer.alloc(TOO_LONG), { timeout: 60_000 });
      // The clock of time limits, in place of a long wait.
      performance.now = () => now.call(performance) + 60_000;
      queue.getSync();
      await within(10_000, put, 'a put whose time is up');
      expect(queue.getSync()).to.have.lengthOf(TOO_LONG);
    } finally {
      performance.now = now;
      queue.close();
    }
  });
});

describe('A timeout that passes while the event loop is busy', () => {
  ownTmpdir();

  /** Starts a wait of `ms` milliseconds for something that is there when `provide` returns. */
  function cases(): Record<string, { wait: (timeout: number) => Promise<unknown>; provide: () => unknown }> {
    const { reader, writer } = makePair('socketpair');
    const send = (): void => {
      writer.sendBytesSync(Buffer.from('x'));
    };
    const listener = listen('unix');
    const lock = new Lock();
    lock.acquireSync();
    const [empty, full] = [new Queue<string>(), new Queue<string>({ maxsize: 1 })];
    full.putSync('first');
    closers.push(lock, empty, full);
    return {
      recv: { wait: (timeout) => reader.recvBytes(undefined, { timeout }), provide: send },
      poll: { wait: (timeout) => reader.poll(timeout), provide: send },
      wait: { wait: async (timeout) => (await wait([reader], timeout)).length === 1, provide: send },
      accept: {
        wait: async (timeout) => track(await listener.accept({ timeout })),
        provide: () => track(ClientSync(listener.address)),
      },
      acquire: {
        wait: (timeout) => lock.acquire({ timeout }),
        provide: () => {
          lock.release();
        },
      },
      get: {
        wait: (timeout) => empty.get({ timeout }),
        provide: () => {
          empty.putSync('x');
          while (empty.empty());
        },
      },
      put: { wait: (timeout) => full.put('x', { timeout }).then(() => true), provide: () => full.getSync() },
    };
  }

  const closers: { close(): void }[] = [];

  afterEach(() => {
    for (const object of closers.splice(0)) object.close();
  });

  for (const name of ['recv', 'poll', 'wait', 'accept', 'acquire', 'get', 'put']) {
    it(`does not end ${name} if what it waits for came in time`, async () => {
      const { wait, provide } = cases()[name]!;
      // After this the loop looks at the time first.
      await turns();
      const end = performance.now() + 250;
      const pending = wait(200);
      for (let i = 0; i < 10; i++) await Promise.resolve();
      provide();
      while (performance.now() < end);
      expect(await pending).to.be.ok;
    });
  }
});
