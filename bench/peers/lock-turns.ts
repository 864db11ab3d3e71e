// SPDX-License-Identifier: MIT
import type { Lock } from 'node-multiprocessing';

/** Gives the other process its turn and waits for the own turn, `count` times. */
export function takeTurns(how: 'sync' | 'async', count: number, give: () => void, own: Lock): void | Promise<void> {
  if (how === 'async') return takeTurnsAsync(count, give, own);
  for (let i = 0; i < count; i++) {
    give();
    own.acquireSync();
  }
}

async function takeTurnsAsync(count: number, give: () => void, own: Lock): Promise<void> {
  for (let i = 0; i < count; i++) {
    give();
    await own.acquire();
  }
}
