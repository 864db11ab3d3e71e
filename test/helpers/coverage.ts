// SPDX-License-Identifier: MIT
//
// What really ran, as a table at the end of the run. A missing peer, or an I/O method that the kernel lacks, must not
// pass unnoticed: an empty cell without a reason fails the run.
import { kinds, modes, ioMethods, type Kind, type Mode, type IoMethod } from './channels.js';
import { missingPythons, pythons } from './pythons.js';

/** The direction from the view of this process: `send` to the peer or `receive` from it. */
export const directions = ['send', 'receive'] as const;
export type Direction = (typeof directions)[number];

export interface Cell {
  /** `node`, `c` or `python3.N`. */
  readonly peer: string;
  readonly kind: Kind;
  readonly direction: Direction;
  readonly mode: Mode;
  readonly ioMethod: IoMethod;
}

const ran = new Map<string, number>();
const reasons = new Map<string, string>();
let required = false;

function keyOf({ peer, kind, direction, mode, ioMethod }: Cell): string {
  return [peer, kind, direction, mode, ioMethod].join(' ');
}

/** Notes that a test has exercised this cell. The test calls it when its assertions have passed. */
export function covered(cell: Cell): void {
  ran.set(keyOf(cell), (ran.get(keyOf(cell)) ?? 0) + 1);
}

/** Notes why a cell cannot be exercised here. */
export function excuse(cell: Cell, reason: string): void {
  reasons.set(keyOf(cell), reason);
}

/** The test file that covers the whole table calls this: the table is printed, and an empty cell without a reason fails the run. */
export function requireCoverage(): void {
  required = true;
}

/** Every cell that can exist here. Cells of sockets exist for their only I/O method. */
export function cells(): Cell[] {
  const peers = ['node', 'c', ...pythons().map(({ version }) => `python${version}`)];
  return peers.flatMap((peer) =>
    kinds.flatMap((kind) =>
      directions.flatMap((direction) =>
        modes.flatMap((mode) => ioMethods.map((ioMethod) => ({ peer, kind, direction, mode, ioMethod }))),
      ),
    ),
  );
}

const SOCKET_REASON = 'sockets have only MSG_DONTWAIT';

/** Why a cell cannot be exercised anywhere. */
export function standingReason({ kind, ioMethod }: Cell): string | undefined {
  return kind === 'socketpair' && ioMethod !== 'nowait' ? SOCKET_REASON : undefined;
}

/** Whether a filter is set. With a filter most cells are not meant to run. */
export function isPartialRun(): boolean {
  return process.argv.some((arg) => /^(-g|-f|--grep|--fgrep)/.test(arg));
}

/** Prints the table. Throws for an empty cell without a reason. */
export function printCoverage(): void {
  if (!required) return;
  const notes: string[] = missingPythons().map((version) => `python${version}: no interpreter of this version here`);
  const empty: string[] = [];
  const rows = new Map<string, string[]>();
  for (const cell of cells()) {
    const row = `${cell.peer} ${cell.kind}`;
    const columns = rows.get(row) ?? [];
    rows.set(row, columns);
    const key = keyOf(cell);
    const count = ran.get(key);
    const reason = reasons.get(key) ?? standingReason(cell);
    if (count !== undefined) {
      columns.push(String(count));
    } else if (reason !== undefined) {
      const note =
        cell.kind === 'socketpair' && reason === SOCKET_REASON
          ? `socketpair, other I/O methods: ${reason}`
          : `${key}: ${reason}`;
      if (!notes.includes(note)) notes.push(note);
      columns.push('-');
    } else {
      empty.push(key);
      columns.push('EMPTY');
    }
  }
  print(rows, notes);
  if (!isPartialRun() && empty.length > 0) {
    throw new Error(`Nothing ran for these cells, and no reason is known:\n${empty.join('\n')}`);
  }
}

function print(rows: ReadonlyMap<string, string[]>, notes: readonly string[]): void {
  const width = 7;
  const line = (title: string, columns: readonly string[]): string =>
    title.padEnd(24) + columns.map((text) => text.padStart(width)).join('');
  const across = directions.flatMap((direction) => modes.map((mode) => `${direction} ${mode}`));
  console.log('\nWhat ran: tests per peer and kind of pipe, by direction, way of calling and I/O method');
  console.log(' '.repeat(24) + across.map((title) => title.padStart(width * ioMethods.length)).join(''));
  console.log(
    line(
      '',
      across.flatMap(() => [...ioMethods]),
    ),
  );
  for (const [title, columns] of rows) console.log(line(title, columns));
  for (const note of notes) console.log(`- ${note}`);
}
