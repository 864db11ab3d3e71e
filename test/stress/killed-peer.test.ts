// SPDX-License-Identifier: MIT
import { kinds, modes } from '../helpers/index.js';
import { killPeer } from '../lifecycle/support/killed-peers.js';
import { freshSeed } from '../helpers/random.js';

describe('500 peers that are killed at random moments', function () {
  const first = freshSeed();
  const perWay = Math.ceil(500 / 8);
  let next = first;
  for (const kind of kinds) {
    for (const mode of modes) {
      for (const peer of ['send', 'receive'] as const) {
        for (let i = 0; i < perWay; i++) {
          const seed = next++;
          it(`send only whole messages before the end (${peer}, ${kind}, ${mode}, SEED=${seed})`, function () {
            return killPeer({ kind, mode, peer, seed });
          });
        }
      }
    }
  }
});
