// SPDX-License-Identifier: MIT
//
// A picture goes through numpy and back, and no pixel is copied. Writes two PNG files into a folder, by default the
// temporary one of the system: node main.mjs <folder>
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as mp from 'node-multiprocessing';

import { png } from './png.mjs';

const folder = process.argv[2] ?? tmpdir();
const [height, width] = [480, 640];
const picture = mp.sharedArray(Uint8Array, [height, width, 3]);

// A sunset over the sea: the sky, the sun, the water, and the light of the sun on it.
for (let y = 0; y < height; y++) {
  for (let x = 0; x < width; x++) {
    const isSun = Math.hypot(x - 320, y - 210) < 60;
    const wave = Math.sin(x / 9 + Math.sin(y / 5) * 3) * 12;
    const isLight = Math.abs(x - 320) < 40 + (y - 300) / 3 + wave;
    const sky = isSun ? [255, 240, 180] : [90 + y / 2, 60 + y / 4, 130 - y / 6];
    const water = isLight ? [230, 160, 100] : [30 + wave, 50 + wave, 90 + wave];
    picture.set(y < 300 ? sky : water, (y * width + x) * 3);
  }
}

const pool = new mp.PythonPool({ target: 'filters:edges', pythonPath: import.meta.dirname, processes: 1 });
try {
  if (!(await pool.apply([], { target: 'filters:has_numpy' }))) {
    console.log('numpy is not installed for this Python.');
  } else {
    writeFileSync(join(folder, 'sunset.png'), png(picture));
    const before = picture.reduce((sum, value) => sum + value, 0);
    const edges = await pool.apply([picture]);
    writeFileSync(join(folder, 'edges.png'), png(edges));
    console.log(
      `${edges.constructor.name} ${edges.shape.join(' x ')}, the same memory: ${edges.buffer === picture.buffer}`,
    );
    console.log(`changed in place: ${picture.reduce((sum, value) => sum + value, 0) !== before}`);
  }
} finally {
  await pool.close();
  await pool.join();
}
