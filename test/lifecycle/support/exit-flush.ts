// SPDX-License-Identifier: MIT
import { expect } from 'chai';

import { makePair, rejects, spawnPeer, type Kind } from '../../helpers/index.js';
import { expectNumbered } from './numbered-messages.js';
import { child } from './programs.js';

/**
 * One mebibyte: as few messages, of which a part is read from the caller's memory, or as many messages that are copied.
 */
export const shapes = [
  { count: 1, size: 1024 * 1024 },
  { count: 8, size: 128 * 1024 },
  { count: 64, size: 16 * 1024 },
  { count: 1024, size: 1024 },
] as const;

/** Starts a child that sends without awaiting and ends, and asserts that everything arrives. Returns its exit code. */
export async function expectNothingMissing(
  kind: Kind,
  ending: 'exit' | 'throw' | 'natural',
  shape: { count: number; size: number },
  worker = false,
): Promise<number | null> {
  const { reader, writer } = makePair(kind);
  const args = [ending, String(shape.count), String(shape.size), '60000', ...(worker ? ['worker'] : [])];
  const peer = spawnPeer(child('send-and-end'), { fds: [writer], args });
  for (let i = 0; i < shape.count; i++) expectNumbered(await reader.recvBytes(), i, shape.size);
  await rejects(reader.recvBytes(), { code: 'ERR_MP_EOF' });
  reader.close();
  const { code, signal } = await peer.exit;
  expect(signal).to.equal(null);
  expect(peer.stderr.includes('are lost')).to.be.false;
  return code;
}
