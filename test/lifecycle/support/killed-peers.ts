// SPDX-License-Identifier: MIT
import { expect } from 'chai';

import { makePair, spawnPeer, via, within, type Kind, type Mode } from '../../helpers/index.js';
import { numbered, expectNumbered } from './numbered-messages.js';
import { child } from './programs.js';
import { Random } from '../../helpers/random.js';
import { sizes } from './message-sizes.js';

const WATCHDOG_MS = 30_000;

export interface Killing {
  readonly kind: Kind;
  readonly mode: Mode;
  /** What the peer does when it is killed. */
  readonly peer: 'send' | 'receive';
  readonly seed: number;
}

/** Kills a peer at a random moment. Asserts that this side sees an end, and only whole messages before it. */
export async function killPeer({ kind, mode, peer: way, seed }: Killing): Promise<void> {
  const random = new Random(seed);
  const { reader, writer } = makePair(kind);
  const [near, theirs] = way === 'send' ? [reader, writer] : [writer, reader];
  const peer = spawnPeer(child('killed'), { fds: [theirs], args: [way, String(seed)] });
  expect(await peer.line()).to.equal('started');
  const sizesSent = new Random(seed);
  const calls = via(mode, near);
  // The number of messages before the kill is random, and so is the number of steps of this loop after it.
  const before = random.below(20);
  let step = 0;
  const exchange = async (): Promise<void> => {
    if (way === 'send') expectNumbered(await calls.recvBytes(), step, sizesSent.pick(sizes));
    else await calls.sendBytes(numbered(step, sizesSent.pick(sizes)));
    step++;
  };
  for (let i = 0; i < before; i++) await exchange();
  for (let i = random.below(4); i > 0; i--) await new Promise((resolve) => setImmediate(resolve));
  peer.kill('SIGKILL');
  // Blocking calls come after the signal was sent, so they cannot delay it.
  const untilFailure = (async () => {
    for (;;) await exchange();
  })().catch((error: unknown) => error);
  const error = await within(WATCHDOG_MS, untilFailure, 'the failure of a call');
  const codes = way === 'send' ? ['ERR_MP_EOF', 'ERR_MP_TRUNCATED', 'ECONNRESET'] : ['EPIPE', 'ECONNRESET'];
  expect(error).to.have.property('code').that.is.oneOf(codes);
  near.close();
  expect((await peer.exit).signal).to.equal('SIGKILL');
}
