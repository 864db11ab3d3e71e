// SPDX-License-Identifier: MIT
//
// An event that is set and cleared at once, as a heartbeat. The waits that were called before end, and with true.
import { expect } from 'chai';
import { Event, Pipe, Process, PythonProcess, type BaseProcess, type Connection } from 'node-multiprocessing';

import { foreignEnv, newestPython, packageRoot, track, within } from '../helpers/index.js';
import * as targets from './children/waiting-targets.js';

const hearts: [string, (args: [Connection, Event]) => BaseProcess][] = [
  [
    'Node',
    (args) =>
      new Process({
        module: new URL('./children/waiting-targets.js', import.meta.url).href,
        target: targets.heart as () => Promise<void>,
        args: args as unknown as [],
      }),
  ],
  [
    'Python',
    (args) =>
      new PythonProcess({
        target: 'children:heart',
        args,
        python: newestPython().path,
        pythonPath: `${packageRoot}/test/peers`,
        env: foreignEnv(),
      }),
  ],
];

describe('An Event that is set and cleared', function () {
  it('ends all waits that one thread has called before, in the order of its calls', async function () {
    // Regression: a call that had to wait for its turn of the event loop was overtaken by later calls.
    for (let i = 0; i < 100; i++) {
      const event = new Event();
      const waits = [event.wait(), event.wait(), event.wait()];
      const pulse = [event.set(), event.clear()];
      expect(await within(20_000, Promise.all(waits), 'the waits')).to.deep.equal([true, true, true]);
      await Promise.all(pulse);
      expect(await event.isSet()).to.equal(false);
      event.close();
    }
  });

  for (const [language, start] of hearts) {
    for (const sync of [false, true]) {
      it(`ends each ${sync ? 'waitSync' : 'wait'} with true (set by ${language})`, async function () {
        // Regression: the answer was the state of the flag when the waiter had woken.
        const event = new Event();
        const [ours, theirs] = Pipe(true, { serialization: 'pickle' });
        const child = start([theirs, event]);
        child.start();
        theirs.close();
        track(ours);
        for (let i = 0; i < 100; i++) {
          const answer = sync ? event.waitSync(30_000) : await event.wait(30_000);
          expect(answer, `wait ${i}`).to.equal(true);
        }
        await ours.send('stop');
        await child.join();
        event.close();
      });
    }
  }
});
