// SPDX-License-Identifier: MIT
import { createInterface } from 'node:readline';

import type { Condition, Event } from 'node-multiprocessing';

/** Does what each line of its input says, and prints when it has. */
export async function obey(condition: Condition, event: Event): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'hold') await condition.acquire();
    if (line === 'release') condition.release();
    if (line === 'notify') await condition.withLock(() => condition.notify());
    if (line === 'set') await event.set();
    if (line === 'wait') {
      await condition.acquire();
      console.log('waiting');
      await condition.wait();
      condition.release();
    }
    if (line === 'waitEvent') {
      console.log('waiting');
      await event.wait();
    }
    console.log(line);
  }
}
