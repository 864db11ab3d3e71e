// SPDX-License-Identifier: MIT
//
// Many arrays over shared memory, made and dropped, by hand and by the garbage collector.
import { readdirSync } from 'node:fs';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import { native } from '#lib/native/addon.js';

import { turns } from '../helpers/index.js';

function resources(): { files: number; descriptors: number } {
  const [folder] = native.families.folders() as string[];
  const files = readdirSync(folder as string).filter((file) => file.includes('.array.')).length;
  return { files, descriptors: readdirSync('/proc/self/fd').length };
}

describe('100,000 shared arrays', function () {
  for (const [how, most] of [
    ['released', 10],
    ['collected', 20_000],
  ] as const) {
    it(`that are ${how} leave nothing, and take no more memory than some of them`, async () => {
      const queue = new mp.Queue<Uint8Array>();
      const before = process.memoryUsage().rss;
      for (let i = 0; i < 100_000; i++) {
        const array = mp.sharedArray(Uint8Array, 1000 + (i % 7) * 1000);
        array[0] = i;
        if (i % 10 === 0) {
          await queue.put(array);
          expect((await queue.get())[0]).to.equal(i & 0xff);
        }
        if (how === 'released') mp.sharedArray.release(array);
        if (i % 5 === 4) await turns();
        if (i % 10_000 === 0) expect(resources().files).to.be.lessThan(most);
      }
      queue.close();
      // The size of what V8 keeps of them.
      expect(process.memoryUsage().rss - before).to.be.lessThan(200 * 2 ** 20);
      if (how === 'collected') return;
      await turns();
      native.arrays.trim();
      expect(resources().files).to.equal(0);
    });
  }
});
