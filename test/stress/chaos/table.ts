// SPDX-License-Identifier: MIT
//
// The table of docs/reliability.md.
import { readFileSync, writeFileSync } from 'node:fs';

import type { Options } from './options.js';
import type { Summary } from './summary.js';

const BEGIN = '<!-- chaos: begin -->';
const END = '<!-- chaos: end -->';

const COLUMNS: readonly (readonly [title: string, cell: (summary: Summary) => string | number])[] = [
  ['System', ({ name }) => name],
  ['Kills', ({ kills }) => kills],
  ['Stops', ({ stops }) => stops],
  ['Items got', ({ got }) => got],
  ['Hangs', ({ hangs }) => hangs],
  ['Errors', ({ errors }) => [...errors].map(([code, count]) => `${count} \`${code}\``).join(', ') || 0],
  ['Torn, twice or out of order', ({ torn, duplicates, disordered }) => torn + duplicates + disordered],
  ['Lost with a producer', ({ lostWithProducer }) => lostWithProducer],
  ['Lost in a consumer', ({ lostInConsumer }) => lostInConsumer],
  ['Lost otherwise', ({ lostWithoutReason }) => lostWithoutReason],
  ['Recovery, p50', (summary) => milliseconds(summary.recovery(0.5))],
  ['Recovery, p99', (summary) => milliseconds(summary.recovery(0.99))],
];

function milliseconds(time: number): string {
  return Number.isNaN(time) ? '-' : `${time < 10 ? time.toFixed(1) : time.toFixed(0)} ms`;
}

export function makeTable(summaries: readonly Summary[]): string {
  const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  return [
    row(COLUMNS.map(([title]) => title)),
    row(COLUMNS.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...summaries.map((summary) => row(COLUMNS.map(([, cell]) => cell(summary)))),
  ].join('\n');
}

/** Replaces the table between the marks of a page. */
export function writeTable(page: string, summaries: readonly Summary[], options: Options): void {
  const text = readFileSync(page, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${page} has no place for the table`);
  const { members, seed, kills, minutes } = options;
  const limit = minutes === Infinity ? '' : ` --minutes ${minutes}`;
  const command = `npm run stress -- --chaos --rivals --members ${members.join()} --seed ${seed} --kills ${kills}${limit}`;
  const table = `${BEGIN}\n\n\`${command}\`:\n\n${makeTable(summaries)}\n\n`;
  writeFileSync(page, text.slice(0, begin) + table + text.slice(end));
}
