// SPDX-License-Identifier: MIT
//
// A Node process and a Python process that exchange messages: `python.js round-trip|to-numpy|from-numpy <warm-up ms>
// <measured ms>`. Arrays of numpy travel as pickles, and each is answered before the next one is sent.
import { dirname } from 'node:path';

import * as mp from 'node-multiprocessing';

import { peerSource } from '../paths.js';
import { report, sample, timesFrom } from '../sampling.js';

const [mode, ...times] = process.argv.slice(2);
const [ours, theirs] = mp.Pipe();
const child = new mp.PythonProcess({
  target: 'talker:talk',
  args: [theirs, mode],
  pythonPath: dirname(peerSource('talker.py')),
  python: 'python3',
  daemon: true,
});
child.start();
theirs.close();

const data = Buffer.alloc(64, 7);
const one = Buffer.from('1');
const array = mp.pickle.ndarray(Float64Array.from({ length: 1024 * 1024 }, (_, i) => i));

function run(count: number): void {
  for (let i = 0; i < count; i++) {
    if (mode === 'round-trip') {
      ours.sendBytesSync(data);
      ours.recvBytesSync();
    } else if (mode === 'to-numpy') {
      ours.sendSync(array);
      ours.recvBytesSync();
    } else {
      ours.sendBytesSync(one);
      ours.recvSync();
    }
  }
}

report(await sample(timesFrom(times[0], times[1]), mode === 'round-trip' ? 200 : 5, run));
ours.close();
await child.join();
