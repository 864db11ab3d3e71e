// SPDX-License-Identifier: MIT
//
// The tables of docs/python.md, checked with every Python. Each row names a value, its counterpart in the other
// language, and what comes back.
import { deepStrictEqual } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import { edgePythons, numpyPythons, packageRoot, PickleMaker, pythons, type Python } from '../helpers/index.js';

const page = readFileSync(join(packageRoot, 'docs', 'python.md'), 'utf8');

interface Row {
  readonly from: string;
  readonly to: string;
  readonly back: string;
}

/** The rows of the table with these column titles. */
function table(first: string, second: string): Row[] {
  const [, text] =
    new RegExp(`^\\| ${first} \\| ${second} \\| Back in ${first} \\|\n[^\n]*\n((?:\\|[^\n]*\n)+)`, 'm').exec(page) ??
    [];
  const cell = /`((?:[^`])+)`|^$/;
  return (text ?? '')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const cells = line.split(/(?<!\\)\|/).map((part) => part.trim().replaceAll('\\|', '|'));
      const [from, to, back] = cells.slice(1, 4).map((content) => cell.exec(content)?.[1] ?? '') as [
        string,
        string,
        string,
      ];
      if (from === '' || to === '' || cells.length !== 5) throw new Error(`Not a row: ${line}`);
      return { from, to, back: back === '' ? from : back };
    });
}

/** The value of a JavaScript expression of the page. */
function evaluate(expression: string): unknown {
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  return new Function('mp', `return (${expression})`)(mp) as unknown;
}

const fromPython = table('Python', 'JavaScript');
const toPython = table('JavaScript', 'Python');

/** Modules that some Pythons do not have. */
const needs = (row: Row): string[] =>
  ['numpy', 'zoneinfo'].filter((module) => `${row.from} ${row.to}`.includes(`${module}.`));

function check(python: Python, maker: PickleMaker, has: (module: string) => boolean): number {
  let rows = 0;
  const possible = (row: Row): boolean => needs(row).every(has);
  for (const row of fromPython.filter(possible)) {
    for (const protocol of [0, 1, 2, 3, 4, 5]) {
      for (const slow of edgePythons().includes(python) ? [false, true] : [false]) {
        const received = mp.pickle.loads(maker.dumps(row.from, protocol, slow));
        deepStrictEqual(received, evaluate(row.to), `${row.from} in protocol ${protocol}`);
      }
    }
    maker.expectValue(mp.pickle.dumps(evaluate(row.to)), row.back);
    rows++;
  }
  for (const row of toPython.filter(possible)) {
    const pickled = mp.pickle.dumps(evaluate(row.from));
    maker.expectValue(pickled, row.to);
    deepStrictEqual(mp.pickle.loads(maker.echo(pickled)), evaluate(row.back), `${row.from} there and back`);
    rows++;
  }
  return rows;
}

describe('The tables of values in docs/python.md', () => {
  it('exist, and name every class for values', () => {
    expect(fromPython.length).to.be.greaterThan(50);
    expect(toPython.length).to.be.greaterThan(40);
    const values = [
      'Complex',
      'Decimal',
      'PythonDate',
      'PythonError',
      'PythonTime',
      'TimeDelta',
      'TimeZone',
      'UUID',
      'ZoneInfo',
    ];
    for (const name of values) expect(page).to.include(`\`new mp.pickle.${name}(`);
  });

  for (const python of pythons()) {
    it(`are right for Python ${python.version}`, async () => {
      const maker = new PickleMaker(python);
      const modules = new Set(['numpy', 'zoneinfo'].filter((module) => maker.knows(module)));
      const rows = check(python, maker, (module) => modules.has(module));
      const left = [...fromPython, ...toPython].filter((row) => !needs(row).every((module) => modules.has(module)));
      expect(rows + left.length).to.equal(fromPython.length + toPython.length);
      await maker.end();
    });
  }

  for (const python of numpyPythons()) {
    it(`are right for numpy ${python.numpy}`, async () => {
      const maker = new PickleMaker(python);
      expect(check(python, maker, (module) => module === 'numpy')).to.be.greaterThan(0);
      await maker.end();
    });
  }
});
