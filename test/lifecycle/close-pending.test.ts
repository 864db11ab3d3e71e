// SPDX-License-Identifier: MIT
//
// close() while a call waits on the same Connection.
import { closeSync } from 'node:fs';

import { expect } from 'chai';

import { kinds, makePair, rejects, track, turns, within, type AnyConnection } from '../helpers/index.js';
import { Pipe } from 'node-multiprocessing';
import { asyncCalls, big, endsFor, possible } from './support/connection-calls.js';

const WATCHDOG_MS = 10_000;

const closings: Record<string, (connection: AnyConnection) => void> = {
  'close()': (connection) => {
    connection.close();
  },
  'close({ discard: true })': (connection) => {
    connection.close({ discard: true });
  },
  'Symbol.dispose': (connection) => {
    connection[Symbol.dispose]();
  },
  'close() twice': (connection) => {
    connection.close();
    connection.close();
  },
};

/** Asserts a rejection with this code, which must come without further events. */
function rejectsSoon(promise: Promise<unknown>, code: string): Promise<Error> {
  return within(WATCHDOG_MS, rejects(promise, { code }), `a rejection with ${code}`);
}

for (const kind of kinds) {
  describe(`Connection.close during a pending call (${kind})`, function () {
    for (const call of possible(asyncCalls, kind).filter(({ sends }) => !sends)) {
      for (const [how, close] of Object.entries(closings)) {
        it(`rejects ${call.name} with ClosedError: ${how}`, async function () {
          const { near } = endsFor(call, kind);
          const pending = call.start(near) as Promise<unknown>;
          await turns();
          close(near);
          await rejectsSoon(pending, 'ERR_MP_CLOSED');
          expect(near.closed).to.be.true;
        });
      }

      // Regression: poll and wait looked at the state of their Connection only when the descriptor itself was closed.
      // With another user of the descriptor they waited for ever.
      it(`rejects ${call.name} with ClosedError although a dup() stays open`, async function () {
        const { near, far } = endsFor(call, kind);
        const other = track(near.dup());
        const pending = call.start(near) as Promise<unknown>;
        await turns();
        near.close();
        await rejectsSoon(pending, 'ERR_MP_CLOSED');
        await far.sendBytes(Buffer.from('still open'));
        expect((await other.recvBytes()).toString()).to.equal('still open');
      });
    }

    for (const call of possible(asyncCalls, kind).filter(({ sends }) => sends)) {
      it(`still writes the message of ${call.name}`, async function () {
        const { near, far } = endsFor(call, kind);
        const pending = call.start(near) as Promise<unknown>;
        await turns();
        near.close();
        expect((await far.recvBytes()).length).to.be.at.least(big.length);
        if (call.handles) closeSync(await far.recvHandle());
        await within(WATCHDOG_MS, pending, 'the end of the send');
        await rejectsSoon(far.recvBytes(), 'ERR_MP_EOF');
      });

      it(`rejects ${call.name} with ClosedError with { discard: true }`, async function () {
        const { near, far } = endsFor(call, kind);
        const pending = call.start(near) as Promise<unknown>;
        await turns();
        near.close({ discard: true });
        await rejectsSoon(pending, 'ERR_MP_CLOSED');
        await rejectsSoon(far.recvBytes(), 'ERR_MP_TRUNCATED');
      });

      it(`of the other end rejects ${call.name} with a system error`, async function () {
        const { near, far } = endsFor(call, kind);
        const pending = call.start(near) as Promise<unknown>;
        await turns();
        far.close();
        const error = await within(
          WATCHDOG_MS,
          pending.catch((reason: unknown) => reason),
          'a rejection',
        );
        expect(error).to.have.property('code').that.is.oneOf(['EPIPE', 'ECONNRESET']);
      });
    }

    it('rejects a hundred receives in the order of the calls', async function () {
      const { reader } = makePair(kind);
      const order: number[] = [];
      const all = Array.from({ length: 100 }, (_, i) => reader.recv().catch(() => order.push(i)));
      await turns();
      reader.close();
      await within(WATCHDOG_MS, Promise.all(all), 'all rejections');
      expect(order).to.deep.equal(Array.from({ length: 100 }, (_, i) => i));
    });

    it('rejects the receives of this Connection, and none of its dup()', async function () {
      const { reader, writer } = makePair(kind);
      const other = track(reader.dup());
      const first = reader.recv();
      const second = other.recv();
      reader.close();
      await rejectsSoon(first, 'ERR_MP_CLOSED');
      await writer.send('for the second');
      expect(await second).to.equal('for the second');
    });

    it('inside a deserializer leaves all other connections intact', async function () {
      // A deserializer runs while a batch of ready connections is served, and may close the next connection of that
      // batch.
      const made: AnyConnection[] = [];
      const serialization = {
        serialize: (value: unknown) => Buffer.from(String(value)),
        deserialize(bytes: Uint8Array) {
          for (const connection of made) connection.close();
          return Buffer.from(bytes).toString();
        },
      };
      const pairs = Array.from({ length: 10 }, () => makePair(kind, { serialization }));
      made.push(...pairs.map(({ reader }) => reader));
      const pending = pairs.map(({ reader }) =>
        reader.recv().catch((error: unknown) => (error as { code: string }).code),
      );
      await turns();
      for (const { writer } of pairs) writer.sendSync('a value');
      const results = await within(WATCHDOG_MS, Promise.all(pending), 'all results');
      // Whether the message that was being decoded still counts is left open.
      expect(results.filter((result) => result === 'ERR_MP_CLOSED')).to.have.length.of.at.least(9);
    });
  });
}

describe('Connection.close with unwritten messages', function () {
  // Regression: the descriptor stays open until the messages are written, and until then no event reached a waiting
  // poll().
  for (const name of ['poll', 'wait', 'recv', 'recvHandle', 'iterate']) {
    it(`rejects ${name} with ClosedError at once`, async function () {
      const call = asyncCalls.find((candidate) => candidate.name === name)!;
      const [near, far] = Pipe();
      track(near);
      track(far);
      const sent = near.sendBytes(big);
      const pending = call.start(near) as Promise<unknown>;
      await turns();
      near.close();
      try {
        await rejectsSoon(pending, 'ERR_MP_CLOSED');
      } finally {
        expect(await far.recvBytes()).to.have.length(big.length);
        await sent;
      }
    });
  }

  it('resolves asyncDispose when they are written', async function () {
    const [near, far] = Pipe();
    track(far);
    const order: string[] = [];
    const sent = near.sendBytes(big).then(() => order.push('sent'));
    const disposed = near[Symbol.asyncDispose]().then(() => order.push('disposed'));
    await turns();
    expect(order).to.deep.equal([]);
    await far.recvBytes();
    await Promise.all([sent, disposed]);
    expect(order).to.deep.equal(['sent', 'disposed']);
  });
});
