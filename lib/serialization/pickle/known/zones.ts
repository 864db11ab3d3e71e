// SPDX-License-Identifier: MIT
//
// The moment at which the clocks of a time zone show a certain time.
import type { Budget } from '../hooks.js';
import { refuse } from './arguments.js';

const DAY = 86_400_000;
const MOST_ZONES = 256;

/** The charge for a new format. Making one takes time, and some time zones have many names. */
const FORMAT_COST = 65_536;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatFor(key: string, budget: Budget): Intl.DateTimeFormat {
  let format = formats.get(key);
  if (format !== undefined) return format;
  // JavaScript also accepts an offset from UTC as a name, but Python does not.
  if (!/^[A-Za-z]/.test(key)) refuse(`there is no time zone ${key}`);
  budget.charge(FORMAT_COST);
  format = new Intl.DateTimeFormat('en-US', {
    timeZone: key,
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  if (formats.size >= MOST_ZONES) formats.clear();
  formats.set(key, format);
  return format;
}

/** The offset of a zone from UTC at a moment, in milliseconds. */
function offsetAt(format: Intl.DateTimeFormat, moment: number): number {
  const parts = new Map(format.formatToParts(moment).map(({ type, value }) => [type, value]));
  const part = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type));
  const year = parts.get('era') === 'BC' ? 1 - part('year') : part('year');
  const shown = new Date(0);
  shown.setUTCFullYear(year, part('month') - 1, part('day'));
  shown.setUTCHours(part('hour'), part('minute'), part('second'));
  return shown.getTime() - Math.floor(moment / 1000) * 1000;
}

/**
 * The moment at which clocks in a time zone show the time that clocks in UTC show at `shown`.
 *
 * @param fold 1 for the second of two such moments. For a time that clocks skip, the offset that holds before (0) or
 *   after (1) is used, as in Python.
 */
export function momentIn(key: string, shown: number, fold: number, budget: Budget): number {
  const format = formatFor(key, budget);
  const before = shown - offsetAt(format, shown - DAY);
  const after = shown - offsetAt(format, shown + DAY);
  const [wanted, other] = fold === 0 ? [before, after] : [after, before];
  const isShown = (moment: number): boolean => moment + offsetAt(format, moment) === shown;
  return isShown(wanted) || !isShown(other) ? wanted : other;
}
