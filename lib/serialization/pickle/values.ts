// SPDX-License-Identifier: MIT
//
// Values of Python's standard library for which JavaScript has no type of its own. They do not compute anything. They
// keep exactly what was received, and are sent as the same value.
import { argumentError } from '../../core/errors.js';
import { checkInteger } from '../../core/validate.js';

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysOf(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeap ? 29 : (DAYS[month - 1] as number);
}

/** A day. CPython: `datetime.date`. */
export class PythonDate {
  /** From 1 to 9999. */
  readonly year: number;
  /** From 1 to 12. */
  readonly month: number;
  /** From 1 to the last day of the month. */
  readonly day: number;

  constructor(year: number, month: number, day: number) {
    checkInteger(year, 'year', 1, 9999);
    checkInteger(month, 'month', 1, 12);
    checkInteger(day, 'day', 1, daysOf(year, month));
    this.year = year;
    this.month = month;
    this.day = day;
  }

  /** As in ISO 8601. */
  toString(): string {
    return `${pad(this.year, 4)}-${pad(this.month, 2)}-${pad(this.day, 2)}`;
  }
}

/** A duration. CPython: `datetime.timedelta`. */
export class TimeDelta {
  /** Negative for a negative duration. The other fields are never negative. */
  readonly days: number;
  /** From 0 to 86399. */
  readonly seconds: number;
  /** From 0 to 999999. */
  readonly microseconds: number;

  constructor(days: number, seconds = 0, microseconds = 0) {
    checkInteger(days, 'days', -999_999_999, 999_999_999);
    checkInteger(seconds, 'seconds', 0, 86_399);
    checkInteger(microseconds, 'microseconds', 0, 999_999);
    this.days = days;
    this.seconds = seconds;
    this.microseconds = microseconds;
  }

  /** The whole duration in milliseconds. */
  get milliseconds(): number {
    return (this.days * 86_400 + this.seconds) * 1000 + this.microseconds / 1000;
  }
}

/** A fixed distance from UTC. CPython: `datetime.timezone`. */
export class TimeZone {
  /** The difference of its clocks from UTC, less than a day. */
  readonly offset: TimeDelta;
  /** Its name, if it has one. */
  readonly name: string | undefined;

  constructor(offset: TimeDelta, name?: string) {
    if (!(offset instanceof TimeDelta)) throw argumentError('type', 'offset must be a TimeDelta');
    const { days, seconds, microseconds } = offset;
    if (days !== 0 && (days !== -1 || (seconds === 0 && microseconds === 0))) {
      throw argumentError('range', 'offset must be less than a day, forwards or back');
    }
    if (name !== undefined && typeof name !== 'string') throw argumentError('type', 'name must be a string');
    this.offset = offset;
    this.name = name;
  }
}

/** A time zone by its name in the IANA database. CPython: `zoneinfo.ZoneInfo`. */
export class ZoneInfo {
  /** The name, such as `Europe/Berlin`. */
  readonly key: string;

  constructor(key: string) {
    if (typeof key !== 'string') throw argumentError('type', 'key must be a string');
    // Python opens the file of this name below that of the database.
    if (!/^[^/\0]+(?:\/[^/\0]+)*$/.test(key) || key.split('/').some((part) => part === '.' || part === '..')) {
      throw argumentError('range', 'key must be the name of a time zone, such as Europe/Berlin');
    }
    this.key = key;
  }
}

/** A time of day. CPython: `datetime.time`. */
export class PythonTime {
  /** From 0 to 23. */
  readonly hour: number;
  /** From 0 to 59. */
  readonly minute: number;
  /** From 0 to 59. */
  readonly second: number;
  /** From 0 to 999999. */
  readonly microsecond: number;
  /** The time zone, if it is known. CPython: `tzinfo`. */
  readonly zone: TimeZone | ZoneInfo | undefined;
  /** 1 for the second of two times that look the same, when clocks are put back. */
  readonly fold: number;

  constructor(hour: number, minute: number, second = 0, microsecond = 0, zone?: TimeZone | ZoneInfo, fold = 0) {
    checkInteger(hour, 'hour', 0, 23);
    checkInteger(minute, 'minute', 0, 59);
    checkInteger(second, 'second', 0, 59);
    checkInteger(microsecond, 'microsecond', 0, 999_999);
    checkInteger(fold, 'fold', 0, 1);
    if (zone !== undefined && !(zone instanceof TimeZone) && !(zone instanceof ZoneInfo)) {
      throw argumentError('type', 'zone must be a TimeZone or a ZoneInfo');
    }
    this.hour = hour;
    this.minute = minute;
    this.second = second;
    this.microsecond = microsecond;
    this.zone = zone;
    this.fold = fold;
  }

  /** As in ISO 8601, without the zone. */
  toString(): string {
    const fraction = this.microsecond === 0 ? '' : `.${pad(this.microsecond, 6)}`;
    return `${pad(this.hour, 2)}:${pad(this.minute, 2)}:${pad(this.second, 2)}${fraction}`;
  }
}

/** A decimal number, as its digits. CPython: `decimal.Decimal`. */
export class Decimal {
  /** The digits, as Python writes them. */
  readonly text: string;

  /** @param text Text that Python's `Decimal` accepts: `'1.10'`, `'-1E+3'`, `'NaN'`, `'sNaN12'`, `'Infinity'`. */
  constructor(text: string) {
    if (typeof text !== 'string') throw argumentError('type', 'text must be a string');
    if (!/^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|s?nan\d*)$/i.test(text)) {
      throw argumentError('range', 'text must be a decimal number');
    }
    this.text = text;
  }

  /** Its `text`. */
  toString(): string {
    return this.text;
  }

  /** Its `text`. */
  toJSON(): string {
    return this.text;
  }
}

/** A universally unique identifier. CPython: `uuid.UUID`. */
export class UUID {
  /** 32 lower-case digits in five groups. CPython: `str(uuid)`. */
  readonly text: string;

  /** @param text 32 hexadecimal digits, with or without hyphens. */
  constructor(text: string) {
    if (typeof text !== 'string') throw argumentError('type', 'text must be a string');
    const digits = text.replaceAll('-', '').toLowerCase();
    if (!/^[0-9a-f]{32}$/.test(digits)) throw argumentError('range', 'text must have 32 hexadecimal digits');
    this.text = digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  /** Its `text`. */
  toString(): string {
    return this.text;
  }

  /** Its `text`. */
  toJSON(): string {
    return this.text;
  }
}

/** A complex number. CPython: `complex`. */
export class Complex {
  /** The real part. */
  readonly real: number;
  /** The imaginary part. */
  readonly imag: number;

  constructor(real: number, imag: number) {
    if (typeof real !== 'number') throw argumentError('type', 'real must be a number');
    if (typeof imag !== 'number') throw argumentError('type', 'imag must be a number');
    this.real = real;
    this.imag = imag;
  }
}
