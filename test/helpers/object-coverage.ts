// SPDX-License-Identifier: MIT
//
// Which kinds of objects were really shared with which Python, by the parent's language, as a table at the end of the
// run. An empty cell fails the run.
import { isPartialRun } from './coverage.js';
import { missingPythons, pythons } from './pythons.js';

export const parents = ['node', 'python'] as const;
export type Parent = (typeof parents)[number];

const ran = new Map<string, number>();
const kinds = new Set<string>();

function keyOf(version: string, parent: Parent, kind: string): string {
  return `${kind}, Python ${version}, parent ${parent}`;
}

/**
 * The test file that covers the whole table calls this with the table's rows. From then on an empty cell fails the run.
 */
export function requireObjects(names: readonly string[]): void {
  for (const name of names) kinds.add(name);
}

/**
 * Notes that a parent and a child have used an object of this kind together. The test calls it when both agree on
 * everything.
 */
export function shared(version: string, parent: Parent, kind: string): void {
  const key = keyOf(version, parent, kind);
  ran.set(key, (ran.get(key) ?? 0) + 1);
}

/** Prints the table. Throws for an empty cell. */
export function printObjectCoverage(): void {
  if (kinds.size === 0) return;
  const columns = parents.flatMap((parent) => pythons().map(({ version }) => ({ parent, version })));
  const empty: string[] = [];
  const width = 14;
  const line = (title: string, cells: readonly string[]): string =>
    title.padEnd(18) + cells.map((cell) => cell.padStart(width)).join('');
  console.log(
    "\nWhat was shared: tests per kind of object, by the parent's language (the child has the other) and version of Python",
  );
  console.log(
    line(
      '',
      columns.map(({ parent, version }) => `${parent} ${version}`),
    ),
  );
  for (const kind of kinds) {
    const cells = columns.map(({ parent, version }) => {
      const key = keyOf(version, parent, kind);
      const count = ran.get(key);
      if (count === undefined) empty.push(key);
      return count === undefined ? 'EMPTY' : String(count);
    });
    console.log(line(kind, cells));
  }
  for (const version of missingPythons()) console.log(`- Python ${version}: no interpreter of this version here`);
  if (!isPartialRun() && empty.length > 0) throw new Error(`Nothing was shared for:\n${empty.join('\n')}`);
}
