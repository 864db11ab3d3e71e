// SPDX-License-Identifier: MIT
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { packageRoot } from '../../helpers/index.js';

/** A temporary folder of programs, in which the name of this package resolves. */
export class ProgramFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'programs-'));

  constructor() {
    mkdirSync(join(this.path, 'node_modules'));
    symlinkSync(packageRoot, join(this.path, 'node_modules', 'node-multiprocessing'));
  }

  /** Writes a file, and returns its path. */
  write(path: string, text: string): string {
    const file = join(this.path, path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, text);
    return file;
  }

  remove(): void {
    rmSync(this.path, { recursive: true });
  }
}

const MAIN = `
if (mp.isMainProcess) {
  const [ours, theirs] = mp.Pipe();
  const child = new mp.Process({ module: MODULE, target: work, args: [theirs, { twice: 21 }], ...OPTIONS });
  child.start();
  theirs.close();
  ours.recv().then(async (value) => {
    console.log(JSON.stringify(value));
    await child.join();
    console.log(child.exitcode);
  });
}`;

/**
 * The end of a program that runs its function `work` in a Process: it prints 42 and the exit code.
 *
 * @param module The expression for the module of the function.
 * @param options An expression for more options of the Process.
 */
export function mainOf(module: string, options = '{}'): string {
  return MAIN.replace('MODULE', module).replace('OPTIONS', options);
}

/** The beginning of such a program that is an ES module. */
export const WORK = `import * as mp from 'node-multiprocessing';
export async function work(connection, { twice }) { await connection.send(2 * twice); }`;

/** The beginning of such a program that is a CommonJS module. */
export const COMMONJS_WORK = `const mp = require('node-multiprocessing');
async function work(connection, { twice }) { await connection.send(2 * twice); }
module.exports = { work };`;
