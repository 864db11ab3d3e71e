// SPDX-License-Identifier: MIT
import { expect } from 'chai';

import { spawnPeer } from '../../helpers/index.js';
import { child, report } from './programs.js';

/** More than the collector lets grow, and far less than the announced lengths. */
const MOST_MEMORY_KIB = 200 * 1024;

/** Feeds `count` connections of a child with hostile bytes. Asserts typed errors, bounded memory and no crash. */
export async function expectSurvival(count: number, seed: number, watchdogMs: number): Promise<void> {
  const peer = spawnPeer(child('hostile'), { args: [String(count), String(seed)], watchdogMs });
  const ended = peer.exit;
  const result = await report(peer);
  expect(await ended, peer.describe('ended')).to.deep.equal({ code: 0, signal: null });
  expect(result.memoryKiB, 'memory').to.be.below(MOST_MEMORY_KIB);
  expect(result.descriptors, 'descriptors').to.equal(0);
  // Without these errors the bytes were not as hostile as they are meant to be.
  const expected = ['ERR_MP_EOF', 'ERR_MP_TRUNCATED', 'ERR_MP_BAD_MESSAGE_LENGTH', 'ERR_MP_UNPICKLING'];
  expect(result.errors).to.include.all.keys(...expected);
}
