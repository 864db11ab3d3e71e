// SPDX-License-Identifier: MIT
//
// Deletes compiled files whose TypeScript source is gone. The compiler leaves them behind, so a deleted test would go on
// running and a deleted module would go on being published.
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
