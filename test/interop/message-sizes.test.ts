// SPDX-License-Identifier: MIT
import { createHash } from 'node:crypto';

import { expect } from 'chai';

import {
  cellsOf,
  covered,
  fewPeers,
  kinds,
  modes,
  pattern,
  somePeers,
  startSink,
  startTalk,
  via,
} from '../helpers/index.js';

const MIB = 1024 * 1024;

/**
 * Around the sizes at which CPython changes its method, the pipe's capacity, and the sizes at which this package
 * changes its method.
 */
const SIZES = [0, 1, 4092, 4093, 4096, 16384, 16385, 65531, 65532, 65536, 65537, MIB, MIB + 1];

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe('Message sizes', () => {
  for (const language of somePeers()) {
    for (const kind of kinds) {
      for (const mode of modes) {
        it(`go there and back, in order (${language.label}, ${kind}, ${mode})`, async () => {
          const env = { NODE_TEST_MODE: mode };
          const { peer, reader, writer } = startTalk(language, kind, 'echo', { env });
          for (const [seed, size] of SIZES.entries()) {
            await via(mode, writer).sendBytes(pattern(size, seed));
            const back = await via(mode, reader).recvBytes();
            expect(back.length).to.equal(size);
            expect(back.equals(pattern(size, seed)), `${size} bytes`).to.equal(true);
          }
          writer.close();
          await peer.succeeded();
          cellsOf(language.label, { kind, mode, ioMethod: 'nowait' }).forEach(covered);
        });
      }
    }
  }

  for (const language of fewPeers()) {
    for (const kind of kinds) {
      for (const mode of modes) {
        it(`of 64 MiB go there and back (${language.label}, ${kind}, ${mode})`, async () => {
          const { peer, reader, writer } = startTalk(language, kind, 'echo', { env: { NODE_TEST_MODE: mode } });
          const message = pattern(64 * MIB);
          await via(mode, writer).sendBytes(message);
          const back = await via(mode, reader).recvBytes();
          expect(back.equals(message)).to.equal(true);
          writer.close();
          await peer.succeeded();
        });
      }
    }
  }

  for (const language of fewPeers()) {
    for (const kind of kinds) {
      it(`may be mixed: order and boundaries are kept (${language.label}, ${kind})`, async () => {
        const { peer, writer } = startSink(language, kind);
        const messages = Array.from({ length: 300 }, (_, i) => pattern((i * 7919) % 20011, i));
        await Promise.all(messages.map((message) => writer.sendBytes(message)));
        writer.close();
        const lines = (await peer.succeeded()).trim().split('\n');
        expect(lines).to.deep.equal([...messages.map((bytes) => `${bytes.length} ${sha256(bytes)}`), 'EOFError']);
      });
    }
  }
});
