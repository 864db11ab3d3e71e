// SPDX-License-Identifier: MIT
//
// Deletes compiled files without a TypeScript source. The compiler does not delete them, so a test would still run after its
// source was deleted.
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { filesBelow, root } from './support.mjs';

const sources = { 'out/test': 'test', 'out/bench': 'bench' };

for (const [output, source] of Object.entries(sources)) {
  for (const file of filesBelow(path.join(root, output))) {
    const stem = path.join(root, source, file).replace(/(\.d)?\.[cm]?[jt]s(\.map)?$/, '');
    const isCompiled = !stem.endsWith(file);
    const hasSource = ['.ts', '.mts', '.cts'].some((extension) => existsSync(stem + extension));
    if (isCompiled && !hasSource) rmSync(path.join(root, output, file));
  }
}
