// SPDX-License-Identifier: MIT
//
// Thumbnails by numpy: `node main.mjs [folder]`. Two Python processes shrink the PPM pictures of the folder, while Node
// waits for nothing but their answers. A file that is no picture fails alone. Without a folder, the program paints four
// pictures of its own in a temporary one.
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import * as mp from 'node-multiprocessing';

const FACTOR = 8;

/** A picture of one colour that becomes brighter from left to right. */
function picture(width, height, colour) {
  const pixels = Buffer.alloc(width * height * 3);
  for (let at = 0; at < pixels.length; at++) {
    const column = Math.floor(at / 3) % width;
    pixels[at] = (colour[at % 3] * column) / width;
  }
  return Buffer.concat([Buffer.from(`P6\n${width}\n${height}\n255\n`), pixels]);
}

async function paint(folder) {
  const colours = { red: [255, 0, 0], green: [0, 255, 0], blue: [0, 0, 255], grey: [128, 128, 128] };
  for (const [name, colour] of Object.entries(colours)) {
    await writeFile(path.join(folder, `${name}.ppm`), picture(640, 480, colour));
  }
  await writeFile(path.join(folder, 'notes.ppm'), 'no picture\n');
}

const given = process.argv[2];
const folder = given ?? (await mkdtemp(path.join(tmpdir(), 'thumbnails-')));
if (given === undefined) await paint(folder);
const target = path.join(folder, 'thumbnails');
await mkdir(target, { recursive: true });

const pool = new mp.PythonPool({ target: 'thumbnails:shrink', pythonPath: import.meta.dirname, processes: 2 });
try {
  await pool.ready();
  const names = (await readdir(folder)).filter((name) => name.endsWith('.ppm')).sort();
  const shrink = (name) => pool.apply([path.join(folder, name), path.join(target, name), FACTOR]);
  const answers = await Promise.allSettled(names.map(shrink));
  answers.forEach(({ value, reason }, i) => {
    if (reason) console.log(`${names[i]}: ${reason.name}: ${path.basename(reason.message)}`);
    else console.log(`${names[i]}: ${value.width} x ${value.height}, mean colour ${value.mean.join(', ')}`);
  });
} catch (error) {
  if (!/numpy/.test(error.message)) throw error;
  console.log('numpy is not installed for this Python.');
} finally {
  await pool.close();
  if (given === undefined) await rm(folder, { recursive: true });
}
