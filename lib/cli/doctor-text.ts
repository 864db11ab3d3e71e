// SPDX-License-Identifier: MIT
import type { Check, Report } from './doctor.js';
import { table } from './text.js';

const MARKS: Readonly<Record<Check['state'], string>> = { ok: 'ok', warning: 'warning', failure: 'FAILURE' };

/** A line for each check, and below it what to do. */
export function showReport({ checks, healthy }: Report): string {
  const rows = checks.map(({ name, state, found }) => [MARKS[state], name, found]);
  const advice = checks
    .filter(({ advice: text }) => text !== undefined)
    .map(({ name, advice: text }) => `${name}: ${text}`);
  const end = healthy ? 'Nothing that would stop the package.' : 'Something here stops the package.';
  return [table([['STATE', 'CHECK', 'FOUND'], ...rows]), ...advice.map((text) => `${text}\n`), `${end}\n`].join('\n');
}
