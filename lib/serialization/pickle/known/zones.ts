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

/** How far certain clocks are ahead of UTC at a moment, in milliseconds. */
type Offset = (moment: number) => number;

function offsetIn(format: Intl.DateTimeFormat): Offset {
  return (moment) => {
    const parts = new Map(format.formatToParts(moment).map(({ type, value }) => [type, value]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type));
    const year = parts.get('era') === 'BC' ? 1 - part('year') : part('year');
    const shown = new Date(0);
    shown.setUTCFullYear(year, part('month') - 1, part('day'));
    shown.setUTCHours(part('hour'), part('minute'), part('second'));
    return shown.getTime() - Math.floor(moment / 1000) * 1000;
  };
}

/** That of local clocks, which `getTimezoneOffset` tells in whole minutes only. */
function localOffset(moment: number): number {
  const local = new Date(moment);
  const shown = new Date(0);
  shown.setUTCFullYear(local.getFullYear(), local.getMonth(), local.getDate());
  shown.setUTCHours(local.getHours(), local.getMinutes(), local.getSeconds(), local.getMilliseconds());
  return shown.getTime() - moment;
}

/**
 * The moment at which clocks show the time that clocks in UTC show at `shown`.
 *
 * @param fold 1 for the second of two such moments. For a time that clocks skip, the offset that holds before (0) or
 *   after (1) is used, as in Python.
 */
function momentAt(offset: Offset, shown: number, fold: number): number {
  const before = shown - offset(shown - DAY);
  const after = shown - offset(shown + DAY);
  const [wanted, other] = fold === 0 ? [before, after] : [after, before];
  const isShown = (moment: number): boolean => moment + offset(moment) === shown;
  return isShown(wanted) || !isShown(other) ? wanted : other;
}

/** The moment at which clocks in a time zone show a time; see `momentAt`. */
export function momentIn(key: string, shown: number, fold: number, budget: Budget): number {
  return momentAt(offsetIn(formatFor(key, budget)), shown, fold);
}

/** The moment at which local clocks show a time; see `momentAt`. */
export function localMoment(shown: number, fold: number): number {
  return momentAt(localOffset, shown, fold);
}
