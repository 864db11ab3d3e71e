// SPDX-License-Identifier: MIT
//
// The other side of a hand-over: waits for its turn and gives it back, until the parent kills it.
import * as mp from 'node-multiprocessing';

import { takeTurns } from './lock-turns.js';

const how = process.argv[2] as 'sync' | 'async';

process.once('message', (descriptors) => {
  const [own, other] = (descriptors as (mp.SemLockDescriptor & { type: 'Lock' })[]).map((each) => mp.attach(each)) as [
    mp.Lock,
    mp.Lock,
  ];
  process.send?.('ready');
  // A Sync call here would keep the answer from being written.
  setImmediate(() => void answer(own, other));
});

async function answer(own: mp.Lock, other: mp.Lock): Promise<never> {
  await own.acquire();
  for (;;) await takeTurns(how, 1000, () => other.release(), own);
}
