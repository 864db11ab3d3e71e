// SPDX-License-Identifier: MIT
//
// Every peer, kind of pipe, way of calling and rung, with the message lengths at which CPython's way of writing changes.
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
  rungOf,
  rungs,
  standingReason,
  startTalk,
  via,
  withRung,
} from '../helpers/index.js';

const SIZES = [0, 1, 16384, 16385, 70000];

requireCoverage();

describe('messages to and from every peer', () => {
  for (const language of everyPeer()) {
    for (const kind of kinds) {
      for (const mode of modes) {
        for (const rung of rungs) {
          const [send, receive] = cellsOf(language.label, { kind, mode, rung });
          if (standingReason(send) !== undefined) continue;

          it(`${language.label}: ${kind}, ${mode}, ${rung}`, async () => {
            const env = { NODE_MULTIPROCESSING_RUNG: rung, NODE_TEST_MODE: mode };
            const { peer, reader, writer } = withRung(rung, () => startTalk(language, kind, 'echo', { env }));
            const output = via(mode, writer);
            const input = via(mode, reader);
            for (const [seed, size] of SIZES.entries()) {
              await output.sendBytes(pattern(size, seed));
              expect((await input.recvBytes()).equals(pattern(size, seed)), `${size} bytes`).to.equal(true);
            }
            const used = { send: rungOf(writer, 'write'), receive: rungOf(reader, 'read') };
            writer.close();
            await peer.succeeded();
            for (const cell of [send, receive]) {
              if (kind === 'socketpair' || used[cell.direction] === rung) covered(cell);
              else excuse(cell, `the kernel does not offer it, ${used[cell.direction]} was used`);
            }
          });
        }
      }
    }
  }
});
