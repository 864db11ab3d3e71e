// SPDX-License-Identifier: MIT
//
// Semaphores in a process that has run out of descriptors.
import { expect } from 'chai';

import type { Peer } from '../helpers/index.js';
import { allFailed, allSucceeded, classes, node, printed, spawnAfter } from './support/dev-shm.js';

describe('Semaphores without a free descriptor', () => {
  function limited(body: string): Peer {
    // Node raises the soft limit to the hard limit, so both are set.
    return spawnAfter(
      'ulimit -n 80',
      node(`
        const fds = [];
        function exhaust(spare = 0) {
          try {
            for (;;) fds.push(fs.openSync('/dev/null', 'r'));
          } catch {
            for (let i = 0; i < spare; i++) fs.closeSync(fds.pop());
          }
        }
        const relieve = () => { for (const fd of fds.splice(0)) fs.closeSync(fd); };
        ${body}`),
    );
  }

  it('fail with EMFILE in every call, and work when there are descriptors again', async () => {
    const { first, own, after } = await printed(
      limited(`
        exhaust();
        const first = failures();
        relieve();
        const lock = new mp.Lock();
        exhaust();
        // The family exists by now.
        const own = failures();
        use(lock);
        relieve();
        print({ first, own, after: failures() });`),
    );
    allFailed(first, classes, 'EMFILE', 'too many');
    allFailed(own, classes, 'EMFILE', 'too many');
    allSucceeded(after, classes);
  });

  it('fail with EMFILE at any step of the first Lock, leave nothing open, and a later Lock works', async () => {
    const { codes, leaks, after } = await printed(
      limited(`
        const count = () => fs.readdirSync('/proc/self/fd').length;
        // What every environment has once and keeps.
        for (const end of mp.Pipe()) end.close();
        const codes = [];
        let leaks = 0;
        for (let spare = 0, before; ; spare++) {
          // What the first failure leaves is there once for the whole process.
          for (const again of [false, true]) {
            exhaust(spare);
            let lock;
            const result = failure(() => (lock = new mp.Lock()));
            relieve();
            if (result === 'succeeded') {
              spare = Infinity;
              break;
            }
            codes.push(result.code);
            if (again) leaks += count() - before;
            before = count();
          }
          if (spare === Infinity) break;
        }
        print({ codes, leaks, after: failures() });`),
    );
    expect(new Set(codes)).to.deep.equal(new Set(['EMFILE']));
    expect(codes.length).to.be.at.least(3);
    expect(leaks).to.equal(0);
    allSucceeded(after, classes);
  });

  // Where one thread cannot wait for many semaphores, the thread that tries them in turn needs a descriptor.
  it('need none in an acquire that has to wait, or fail with EMFILE; a later one works', async () => {
    const { outcome, waited } = await printed(
      limited(`
        const lock = new mp.Lock();
        lock.acquireSync();
        exhaust();
        const first = lock.acquire();
        setImmediate(() => lock.release());
        const outcome = await first.then(() => 'done', (error) => error.code);
        relieve();
        if (outcome !== 'done') await lock.acquire();
        const waiting = lock.acquire();
        setImmediate(() => lock.release());
        print({ outcome, waited: await waiting });
        lock.release();`),
    );
    expect(['done', 'EMFILE']).to.include(outcome);
    expect(waited).to.equal(true);
  });
});
