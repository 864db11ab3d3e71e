// SPDX-License-Identifier: MIT
//
// Messages to and from every peer, over each kind of pipe, with each way of calling and each I/O method. Their lengths
// include those at which CPython's way of writing changes.
import { expect } from 'chai';

import {
  cellsOf,
  covered,
  everyPeer,
  excuse,
  kinds,
  modes,
  pattern,
  requireCoverage,
  ioMethodOf,
  ioMethods,
  standingReason,
  startTalk,
  via,
  withIoMethod,
} from '../helpers/index.js';

const SIZES = [0, 1, 16384, 16385, 70000];

requireCoverage();

describe('Messages to and from every peer', () => {
  for (const language of everyPeer()) {
    for (const kind of kinds) {
      for (const mode of modes) {
        for (const ioMethod of ioMethods) {
          const [send, receive] = cellsOf(language.label, { kind, mode, ioMethod });
          if (standingReason(send) !== undefined) continue;

          it(`arrive whole and in order (${language.label}, ${kind}, ${mode}, ${ioMethod})`, async () => {
            const env = { NODE_MULTIPROCESSING_RUNG: ioMethod, NODE_TEST_MODE: mode };
            const { peer, reader, writer } = withIoMethod(ioMethod, () => startTalk(language, kind, 'echo', { env }));
            const output = via(mode, writer);
            const input = via(mode, reader);
            for (const [seed, size] of SIZES.entries()) {
              await output.sendBytes(pattern(size, seed));
              expect((await input.recvBytes()).equals(pattern(size, seed)), `${size} bytes`).to.equal(true);
            }
            const used = { send: ioMethodOf(writer, 'write'), receive: ioMethodOf(reader, 'read') };
            writer.close();
            await peer.succeeded();
            for (const cell of [send, receive]) {
              if (kind === 'socketpair' || used[cell.direction] === ioMethod) covered(cell);
              else excuse(cell, `the kernel does not offer it, ${used[cell.direction]} was used`);
            }
          });
        }
      }
    }
  }
});
