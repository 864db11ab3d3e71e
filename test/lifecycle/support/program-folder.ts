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
