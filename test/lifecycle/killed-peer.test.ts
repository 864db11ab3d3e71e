// SPDX-License-Identifier: MIT
//
// A peer is killed inside its messages, at 25 random moments here and at 500 in the stress tests.
import { kinds, modes } from '../helpers/index.js';
import { killPeer } from './support/killed-peers.js';
import { freshSeed } from '../helpers/random.js';

describe('A peer that is killed at a random moment', function () {
  const first = freshSeed();
  const ways = kinds.flatMap((kind) =>
    modes.flatMap((mode) => (['send', 'receive'] as const).map((peer) => ({ kind, mode, peer }))),
  );
  for (let i = 0; i < 25; i++) {
    const way = ways[i % ways.length]!;
    const seed = first + i;
    it(`leaves only whole messages before the end (${way.peer}, ${way.kind}, ${way.mode}, SEED=${seed})`, function () {
      return killPeer({ ...way, seed });
    });
  }
});
