#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// npx node-multiprocessing: shows and removes the semaphores of this user's processes.
import { parseArgs } from 'node:util';

import type { Listing, Swept } from './semaphore-listing.js';

const USAGE = `Usage: node-multiprocessing <command> [--json]

Commands:
  list    shows the semaphores of this user: those that each family of processes
          has registered, whether they exist, and the members of the family
  sweep   removes the semaphores of families whose processes have all ended

Options:
  --json  prints JSON instead of text
  --help  prints this
`;

/** Formats rows as a table with aligned columns. The first row holds the titles. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}

function membersOf(members: readonly number[] | null): string {
  if (members === null) return 'unknown';
  return members.length === 0 ? 'none' : members.join(', ');
}

function showListing({ folder, families, bytes }: Listing): string {
  if (families.length === 0) return `No families in ${folder}.\n`;
  const rows = families.flatMap(({ family, members, names, missing }) => {
    const semaphores = [
      ...names.map((name) => [name, 'exists']),
      ...missing.map((name) => [name, 'missing']),
      ...(names.length + missing.length === 0 ? [['(no names)', '']] : []),
    ];
    return semaphores.map((cells, i) => [...(i === 0 ? [family, membersOf(members)] : ['', '']), ...cells]);
  });
  const exist = families.reduce((sum, { names }) => sum + names.length, 0);
  return (
    `${table([['FAMILY', 'MEMBERS', 'SEMAPHORE', 'STATE'], ...rows])}\n` +
    `${count(exist, 'semaphore', 'semaphores')} of ${count(families.length, 'family', 'families')} in ${folder}, ` +
    `${bytes} bytes.\n`
  );
}

function showSwept({ families, names }: Swept): string {
  if (families.length === 0) return 'Nothing to remove.\n';
  const rows = families.map(({ family, names: removed }) => [family, String(removed)]);
  return (
    `${table([['FAMILY', 'SEMAPHORES REMOVED'], ...rows])}\n` +
    `Removed ${count(names, 'semaphore', 'semaphores')} of ${count(families.length, 'family', 'families')}.\n`
  );
}

/** Prints a problem with the command line, and the usage. Returns the exit code. */
function refuse(problem: string): number {
  process.stderr.write(`${problem}\n\n${USAGE}`);
  return 2;
}

async function run(command: 'list' | 'sweep', json: boolean): Promise<number> {
  try {
    // Imported only when needed, so that the usage can be shown without an addon.
    const { listFamilies, sweepFamilies } = await import('./semaphore-listing.js');
    if (command === 'list') {
      const listing = listFamilies();
      process.stdout.write(json ? `${JSON.stringify(listing, null, 2)}\n` : showListing(listing));
    } else {
      const swept = sweepFamilies();
      process.stdout.write(json ? `${JSON.stringify(swept, null, 2)}\n` : showSwept(swept));
    }
    return 0;
  } catch (error) {
    process.stderr.write(`node-multiprocessing: ${(error as Error).message}\n`);
    return 1;
  }
}

async function main(): Promise<number> {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
  const { values, positionals } = parsed;
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [command, ...rest] = positionals;
  if (command === undefined) return refuse('A command is missing.');
  if (command !== 'list' && command !== 'sweep') return refuse(`Unknown command "${command}".`);
  if (rest.length > 0) return refuse(`${command} takes no arguments.`);
  return await run(command, values.json);
}

// Not process.exit(), which would drop the output that a pipe has not accepted yet.
process.exitCode = await main();
