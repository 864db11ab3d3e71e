// SPDX-License-Identifier: MIT
//
// Any sequence of messages arrives unchanged, whatever the pieces in which it is written and the methods by which it is
// received.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import fc from 'fast-check';

import {
  fewPeers,
  frame,
  kinds,
  makePair,
  pattern,
  ioMethods,
  startSink,
  startSource,
  turns,
  withIoMethod,
  type AnyConnection,
} from '../helpers/index.js';

/** Lengths at which something changes are drawn as often as all others. */
const length = fc.oneof(
  fc.constantFrom(0, 1, 4096, 16384, 16385, 65535, 65536, 65537, 200_000),
  fc.nat(100),
  fc.nat(100_000),
);

const messages = fc.array(fc.record({ length, long: fc.boolean() }), { maxLength: 12 });

/** The ways to get the next message. Each must return the whole message, whatever was tried before. */
const receives: Record<string, (reader: AnyConnection) => Promise<Buffer>> = {
  recvBytes: (reader) => reader.recvBytes(),
  recvBytesSync: (reader) => Promise.resolve(reader.recvBytesSync()),
  async recvBytesInto(reader) {
    const buffer = Buffer.alloc(200_010);
    return buffer.subarray(7, 7 + (await reader.recvBytesInto(buffer, 7)));
  },
  recvBytesIntoSync(reader) {
    const buffer = Buffer.alloc(200_010);
    return Promise.resolve(buffer.subarray(7, 7 + reader.recvBytesIntoSync(buffer, 7)));
  },
  async tryRecvBytes(reader) {
    for (;;) {
      const message = reader.tryRecvBytes();
      if (message !== undefined) return message;
      await reader.poll(null);
    }
  },
  async shortTimeouts(reader) {
    for (let timeout = 0; ; timeout = (timeout + 0.5) % 2) {
      try {
        return await reader.recvBytes(undefined, { timeout });
      } catch (error) {
        if ((error as { code?: string }).code !== 'ERR_MP_TIMEOUT') throw error;
      }
    }
  },
  shortTimeoutsSync(reader) {
    for (let timeout = 0; ; timeout = (timeout + 0.1) % 1) {
      try {
        return Promise.resolve(reader.recvBytesSync(undefined, { timeout }));
      } catch (error) {
        if ((error as { code?: string }).code !== 'ERR_MP_TIMEOUT') throw error;
      }
    }
  },
  async aborts(reader) {
    for (;;) {
      const abort = new AbortController();
      const received = reader.recvBytes(undefined, { signal: abort.signal });
      setImmediate(() => {
        abort.abort();
      });
      try {
        return await received;
      } catch (error) {
        if ((error as { code?: string }).code !== 'ABORT_ERR') throw error;
      }
    }
  },
};

const methods = fc.array(fc.constantFrom(...Object.keys(receives)), { minLength: 1, maxLength: 12 });

describe('Any messages', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'mp-test-'))));
  after(() => {
    rmSync(folder, { recursive: true });
  });

  for (const kind of kinds) {
    for (const ioMethod of ioMethods) {
      if (kind === 'socketpair' && ioMethod !== 'nowait') continue;

      for (const readAhead of [true, false]) {
        it(`arrive whole when a raw writer cuts them anywhere and any mix of methods receives them (${kind}, ${ioMethod}, readAhead ${readAhead})`, async () => {
          const python = fewPeers()[1] as never;
          const { peer, reader } = withIoMethod(ioMethod, () => startSource(python, kind, 'slices', { readAhead }));
          let files = 0;
          await fc.assert(
            fc.asyncProperty(
              messages,
              fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }),
              methods,
              async (list, cuts, order) => {
                const frames = list.map((message, seed) => frame(pattern(message.length, seed), message.long));
                const bytes = Buffer.concat(frames);
                const path = join(folder, `${kind}-${ioMethod}-${readAhead}-${files++}`);
                writeFileSync(path, bytes);
                const places = [0, ...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length].sort(
                  (a, b) => a - b,
                );
                for (let i = 1; i < places.length; i++) peer.tell(`${path} ${places[i - 1]} ${places[i]}`);
                for (const [seed, message] of list.entries()) {
                  const name = order[seed % order.length] as string;
                  const received = await (receives[name] as (reader: AnyConnection) => Promise<Buffer>)(reader);
                  expect(received.equals(pattern(message.length, seed)), `message ${seed} by ${name}`).to.equal(true);
                }
                expect(reader.tryRecvBytes()).to.equal(undefined);
              },
            ),
            { numRuns: 40 },
          );
          await peer.release();
          await peer.succeeded();
        });
      }

      it(`arrive whole at a Python peer when any mix of methods sends them (${kind}, ${ioMethod})`, async () => {
        const send = fc.record({ length, sync: fc.boolean(), awaited: fc.boolean(), offset: fc.nat(50) });
        await fc.assert(
          fc.asyncProperty(fc.array(send, { maxLength: 20 }), async (list) => {
            const { peer, writer } = withIoMethod(ioMethod, () => startSink(fewPeers()[1] as never, kind));
            const expected: string[] = [];
            for (const [seed, { length: size, sync, awaited, offset }] of list.entries()) {
              const message = pattern(size + offset, seed);
              expected.push(`${size} ${createHash('sha256').update(message.subarray(offset)).digest('hex')}`);
              if (sync) {
                writer.sendBytesSync(message, offset);
              } else {
                const sent = writer.sendBytes(message, offset, size);
                if (awaited) await sent;
              }
            }
            writer.close();
            expect((await peer.succeeded()).trim().split('\n')).to.deep.equal([...expected, 'EOFError']);
          }),
          { numRuns: 8 },
        );
      });
    }
  }

  for (const kind of kinds) {
    for (const ioMethod of ioMethods) {
      if (kind === 'socketpair' && ioMethod !== 'nowait') continue;

      it(`arrive whole or not at all when their sends are aborted or time out (${kind}, ${ioMethod})`, async () => {
        const end = fc.constantFrom('none', 'abort', 'timeout', 'late abort');
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.record({ size: length.map((size) => size + 1), end }), { minLength: 1, maxLength: 20 }),
            async (list) => {
              const { reader, writer } = withIoMethod(ioMethod, () => makePair(kind));
              const late = new AbortController();
              const outcomes = list.map(async ({ size, end: how }, seed) => {
                const abort = new AbortController();
                const signal = how === 'abort' ? abort.signal : how === 'late abort' ? late.signal : undefined;
                const timeout = how === 'timeout' ? 0.5 : undefined;
                const sent = writer.sendBytes(pattern(size, seed), 0, size, { signal, timeout });
                abort.abort();
                return sent.then(
                  () => 'sent',
                  (error: unknown) => ((error as { begun?: boolean }).begun === false ? 'withdrawn' : 'unknown'),
                );
              });
              const received: Buffer[] = [];
              const receiving = untilEndOfData(reader, received);
              await turns(1);
              late.abort();
              const known = await Promise.all(outcomes);
              writer.close();
              await receiving;
              for (const [seed, outcome] of known.entries()) {
                // No message is empty, so the first byte tells them apart.
                const next = received[0]?.equals(pattern(list[seed]!.size, seed)) === true;
                if (outcome === 'sent') expect(next, `message ${seed} arrived`).to.equal(true);
                if (outcome === 'withdrawn') expect(next, `message ${seed} arrived`).to.equal(false);
                if (next) received.shift();
              }
              expect(received.length).to.equal(0);
              reader.close();
            },
          ),
          { numRuns: 100 },
        );
      });
    }
  }
});

/** Collects messages until the sender closes. */
async function untilEndOfData(reader: AnyConnection, received: Buffer[]): Promise<void> {
  for (;;) {
    try {
      received.push(await reader.recvBytes());
    } catch (error) {
      if ((error as { code?: string }).code === 'ERR_MP_EOF') return;
      throw error;
    }
  }
}
