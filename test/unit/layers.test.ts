// SPDX-License-Identifier: MIT
//
// The sources keep to the layers that scripts/layers.mjs lists, without a circle.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { layers, type Layers } from '../../scripts/layers.mjs';
import { packageRoot } from '../helpers/index.js';
import {
  circles,
  floorsOf,
  importsOf,
  includesOf,
  readImports,
  readIncludes,
  folderGraph,
  wrongImports,
  type Graph,
} from './support/layers.js';

/** The limits of a structure that one person can keep in mind. */
const MOST_FLOORS = 10;
const MOST_FILES_IN_FOLDER = 20;
const MOST_LINES = 400;
const MOST_LINES_OF_HALF = 120;

/** One class, a quarter of which is documentation for users. */
const LONGER_FILES = ['connection/connection.ts'];

/** Fails with the findings themselves. */
function none(findings: readonly string[]): void {
  if (findings.length > 0) expect.fail(findings.join('\n'));
}

/** Layers with a folder for each name, for made-up graphs. */
function layersOf(floors: readonly (readonly string[])[], exceptions: Layers['exceptions'] = []): Layers {
  return { root: 'lib', floors: floors.map((floor) => floor.map((name) => ({ name, meaning: '' }))), exceptions };
}

function graph(imports: Record<string, readonly string[]>): Graph {
  return new Map(Object.entries(imports));
}

function lineCount(file: string): number {
  return readFileSync(join(packageRoot, 'lib', file), 'utf8').split('\n').length - 1;
}

for (const [rules, read] of [
  [layers.lib, readImports],
  [layers.native, readIncludes],
] as const) {
  describe(`Layers of ${rules.root}/`, () => {
    let files: Graph;
    before(() => {
      files = read(join(packageRoot, rules.root));
    });

    it('allow every import', () => {
      none(wrongImports(rules, files));
    });

    it('have exceptions only within a floor, each with a reason', () => {
      for (const { from, to, because } of rules.exceptions) {
        const floor = rules.floors.find((folders) => folders.some(({ name }) => name === from)) ?? [];
        expect(floor.map(({ name }) => name)).to.include(to);
        expect(because).to.not.equal('');
      }
    });

    it('have no circle of files', () => {
      none(circles(rules, files));
    });

    it('have no circle of folders', () => {
      none(circles(rules, folderGraph(rules, files)));
    });
  });
}

describe('The size of lib/', () => {
  let files: Graph;
  let lines: Map<string, number>;
  before(() => {
    files = readImports(join(packageRoot, 'lib'));
    lines = new Map([...files.keys()].map((file) => [file, lineCount(file)]));
  });

  it(`is at most ${MOST_FLOORS} floors of folders that import each other`, () => {
    expect(floorsOf(folderGraph(layers.lib, files))).to.be.at.most(MOST_FLOORS);
  });

  it(`is at most ${MOST_FILES_IN_FOLDER} files in one folder`, () => {
    const counts = new Map<string, number>();
    for (const file of files.keys()) {
      const folder = join('lib', file, '..');
      counts.set(folder, (counts.get(folder) ?? 0) + 1);
    }
    const larger = [...counts].filter(([, count]) => count > MOST_FILES_IN_FOLDER);
    none(larger.map(([folder, count]) => `${folder} has ${count} files, more than ${MOST_FILES_IN_FOLDER}`));
  });

  it(`is at most ${MOST_LINES} lines in one file`, () => {
    const longer = [...lines].filter(([file, count]) => count > MOST_LINES && !LONGER_FILES.includes(file));
    none(longer.map(([file, count]) => `lib/${file} has ${count} lines, more than ${MOST_LINES}`));
  });

  it(`is less than ${MOST_LINES_OF_HALF} lines in half of the files`, () => {
    const counts = [...lines.values()].sort((a, b) => a - b);
    expect(counts[Math.floor(counts.length / 2)]).to.be.below(MOST_LINES_OF_HALF);
  });
});

describe('The reader of imports', () => {
  it('finds every form in which TypeScript names a module', () => {
    const text = `
      import './effect.js';
      import value, { other } from './value.js';
      import type { Type } from './type.js';
      import equals = require('./equals.js');
      export * from './all.js';
      export { one } from './one.js';
      export type { Two } from './two.js';
      type Inline = import('./inline.js').Inline;
      const f = async () => await import('./dynamic.js');
      const g = () => require('./required.js');
      /** See import('./comment.js'). */
      const text = "import './text.js'";
      export const local = 1;`;
    const names = 'effect value type equals all one two inline dynamic required';
    expect(importsOf(text)).to.deep.equal(names.split(' ').map((name) => `./${name}.js`));
  });

  it('finds the includes of C++ files, but for system headers', () => {
    expect(includesOf('#include "os/sys.h"\n#include <vector>\n  # include "io/frame.h" // ...\n')).to.deep.equal([
      'os/sys.h',
      'io/frame.h',
    ]);
  });
});

describe('The checker of layers', () => {
  const rules = layersOf([['core'], ['locks', 'pipes'], ['index.ts']]);
  const right = {
    'core/a.ts': [],
    'locks/a.ts': ['core/a.ts', 'locks/b.ts'],
    'locks/b.ts': [],
    'pipes/a.ts': ['core/a.ts'],
    'index.ts': ['locks/a.ts', 'core/a.ts'],
  };

  it('finds nothing in imports from lower floors and of the same folder', () => {
    expect(wrongImports(rules, graph(right))).to.deep.equal([]);
    expect(circles(rules, graph(right))).to.deep.equal([]);
  });

  it('finds an import from a higher floor, and says what the folder may import', () => {
    expect(wrongImports(rules, graph({ ...right, 'locks/b.ts': ['index.ts'] }))).to.deep.equal([
      'lib/locks/b.ts imports lib/index.ts: locks may import only core',
    ]);
    expect(wrongImports(rules, graph({ ...right, 'core/a.ts': ['pipes/a.ts'] }))).to.deep.equal([
      'lib/core/a.ts imports lib/pipes/a.ts: core may import no other folder',
    ]);
  });

  it('finds an import within a floor, unless it is an exception', () => {
    const files = graph({ ...right, 'pipes/a.ts': ['locks/a.ts'] });
    expect(wrongImports(rules, files)).to.deep.equal([
      'lib/pipes/a.ts imports lib/locks/a.ts: pipes may import only core',
    ]);
    const exceptions = [{ from: 'pipes', to: 'locks', because: 'a pipe has a lock' }];
    expect(wrongImports({ ...rules, exceptions }, files)).to.deep.equal([]);
    expect(wrongImports({ ...rules, exceptions }, graph({ ...right, 'locks/b.ts': ['pipes/a.ts'] }))).to.deep.equal([
      'lib/locks/b.ts imports lib/pipes/a.ts: locks may import only core',
    ]);
  });

  it('finds a folder that is not in the list, once, and one that has no files', () => {
    const files = graph({ ...right, 'core/a.ts': ['new/a.ts'], 'new/a.ts': ['index.ts'], 'new/b.ts': [], 'b.ts': [] });
    expect(
      wrongImports(layersOf([...rules.floors.map((floor) => floor.map(({ name }) => name)), ['cli']]), files),
    ).to.deep.equal([
      'lib/new belongs to no layer: scripts/layers.mjs does not name it',
      'lib/b.ts belongs to no layer: scripts/layers.mjs does not name it',
      'scripts/layers.mjs names lib/cli, which has no source file',
    ]);
  });

  it('treats a file that the list names as a folder of its own', () => {
    const files = graph({ 'core/a.ts': [], 'core/main.ts': ['core/a.ts', 'pipes/a.ts'], 'pipes/a.ts': ['core/a.ts'] });
    const withMain = layersOf([['core'], ['pipes'], ['core/main.ts']]);
    expect(wrongImports(withMain, files)).to.deep.equal([]);
    expect(circles(withMain, folderGraph(withMain, files))).to.deep.equal([]);
    expect(circles(rules, folderGraph(rules, files))).to.deep.equal(['lib/core -> lib/pipes -> lib/core is a circle']);
  });

  it('finds circles of files, the shortest of each set', () => {
    const files = graph({
      'core/a.ts': ['core/b.ts'],
      'core/b.ts': ['core/c.ts'],
      'core/c.ts': ['core/b.ts', 'core/a.ts', 'core/d.ts'],
      'core/d.ts': ['core/e.ts'],
      'core/e.ts': ['core/d.ts'],
      'core/f.ts': ['core/f.ts'],
    });
    expect(circles(rules, files)).to.have.members([
      'lib/core/b.ts -> lib/core/c.ts -> lib/core/b.ts is a circle, one among 3 that import each other',
      'lib/core/d.ts -> lib/core/e.ts -> lib/core/d.ts is a circle',
      'lib/core/f.ts -> lib/core/f.ts is a circle',
    ]);
  });

  it('finds circles of folders where there is none of files', () => {
    const files = graph({ ...right, 'locks/b.ts': ['pipes/b.ts'], 'pipes/b.ts': [], 'pipes/a.ts': ['locks/a.ts'] });
    expect(circles(rules, files)).to.deep.equal([]);
    expect(circles(rules, folderGraph(rules, files))).to.deep.equal([
      'lib/locks -> lib/pipes -> lib/locks is a circle',
    ]);
  });

  it('counts floors by the longest way, and a circle as one', () => {
    expect(floorsOf(graph({}))).to.equal(0);
    expect(floorsOf(graph({ a: [], b: [] }))).to.equal(1);
    expect(floorsOf(graph({ a: ['c'], b: ['a', 'c'], c: [], d: ['c'] }))).to.equal(3);
    expect(floorsOf(graph({ a: ['b'], b: ['c'], c: ['b', 'd'], d: [] }))).to.equal(3);
  });
});
