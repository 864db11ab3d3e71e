// SPDX-License-Identifier: MIT
import { nameOf } from './processes.js';
import { count, table } from './text.js';
import type { LockLine, PoolLine, ProcessLine, QueueLine, Sample } from './top.js';

function shown(value: number | null): string {
  return value === null ? '-' : String(Math.round(value));
}

function bytes(value: number): string {
  return `${Math.round(value / 1024 / 1024)} MiB`;
}

function processRow(line: ProcessLine): string[] {
  const { pid, parent, family, cpu, memory } = line;
  return [String(pid), String(parent), family ?? '-', shown(cpu), bytes(memory), nameOf(line)];
}

function poolRow({ name, parent, workers, busy, cpu, memory }: PoolLine): string[] {
  return [name, String(parent), String(workers), String(busy), shown(cpu), bytes(memory)];
}

function queueRow({ id, type, ...numbers }: QueueLine): string[] {
  const { depth, putRate, gotRate, lost, readers, writers } = numbers;
  return [id, type, ...[depth, putRate, gotRate, lost, readers, writers].map(shown)];
}

function lockRow({ id, type, value, holders, waiters }: LockLine): string[] {
  return [id, type, shown(value), holders.join(', ') || '-', shown(waiters)];
}

function section(titles: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? [] : [table([titles, ...rows])];
}

/** A sample as tables. */
export function showSample({ families, processes, pools, queues, locks }: Sample): string {
  const many = [
    count(families, 'family', 'families'),
    count(processes.length, 'process', 'processes'),
    count(pools.length, 'pool', 'pools'),
    count(queues.length, 'queue', 'queues'),
    count(locks.length, 'lock', 'locks'),
  ];
  return [
    `${many.join(', ')}\n`,
    ...section(['PID', 'PARENT', 'FAMILY', 'CPU %', 'MEMORY', 'PROGRAM'], processes.map(processRow)),
    ...section(['POOL', 'PARENT', 'WORKERS', 'BUSY', 'CPU %', 'MEMORY'], pools.map(poolRow)),
    ...section(['QUEUE', 'CLASS', 'DEPTH', 'PUT/S', 'GOT/S', 'LOST', 'READERS', 'WRITERS'], queues.map(queueRow)),
    ...section(['LOCK', 'CLASS', 'VALUE', 'HELD BY', 'WAITERS'], locks.map(lockRow)),
  ].join('\n');
}

/** A sample that replaces the one before it on a terminal of this size. */
export function onTerminal(text: string, columns: number, rows: number): string {
  const lines = text.trimEnd().split('\n');
  const fitting =
    lines.length < rows ? lines : [...lines.slice(0, rows - 2), `... ${lines.length - rows + 2} lines more`];
  // To the first cell; each line is cut and its rest cleared, and then what is below.
  return `\x1b[H${fitting.map((line) => `${line.slice(0, columns)}\x1b[K\n`).join('')}\x1b[J`;
}
