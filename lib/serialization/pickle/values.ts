// SPDX-License-Identifier: MIT
//
// Values of Python's standard library for which JavaScript has no type of its own. They do not compute anything; they keep
// what was received, exactly, and are sent as what they were.
import { argumentError } from '../../core/errors.js';
import { checkInteger } from '../../core/validate.js';

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}

/** A day. CPython: `datetime.date`. */
export class PythonDate {
  /** From 1 to 9999. */
  readonly year: number;
  /** From 1 to 12. */
  readonly month: number;
  /** From 1. */
  readonly day: number;

  constructor(year: number, month: number, day: number) {
    checkInteger(year, 'year', 1, 9999);
    checkInteger(month, 'month', 1, 12);
    checkInteger(day, 'day', 1, 31);
    this.year = year;
    this.month = month;
    this.day = day;
  }

  /** As in ISO 8601. */
  toString(): string {
    return `${pad(this.year, 4)}-${pad(this.month, 2)}-${pad(this.day, 2)}`;
  }
}

/** A length of time. CPython: `datetime.timedelta`. */
export class TimeDelta {
  /** Negative for negative times; the other fields never are. */
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

  /** All of it in milliseconds. */
  get milliseconds(): number {
    return (this.days * 86_400 + this.seconds) * 1000 + this.microseconds / 1000;
  }
}

/** A fixed distance from UTC. CPython: `datetime.timezone`. */
export class TimeZone {
  /** How much clocks there are ahead of UTC. */
  readonly offset: TimeDelta;
  /** What it is called, if anything. */
  readonly name: string | undefined;

  constructor(offset: TimeDelta, name?: string) {
    if (!(offset instanceof TimeDelta)) throw argumentError('type', 'offset must be a TimeDelta');
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
  /** Where the clock is, if that is known. CPython: `tzinfo`. */
  readonly zone: TimeZone | ZoneInfo | undefined;
  /** 1 for the second of two times that a clock shows when it is put back. */
  readonly fold: number;

  constructor(hour: number, minute: number, second = 0, microsecond = 0, zone?: TimeZone | ZoneInfo, fold = 0) {
    checkInteger(hour, 'hour', 0, 23);
    checkInteger(minute, 'minute', 0, 59);
    checkInteger(second, 'second', 0, 59);
    checkInteger(microsecond, 'microsecond', 0, 999_999);
    checkInteger(fold, 'fold', 0, 1);
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
  /** As Python writes it. */
  readonly text: string;

  /** @param text What Python's `Decimal` reads: `'1.10'`, `'-1E+3'`, `'NaN'`, `'sNaN12'`, `'Infinity'`. */
  constructor(text: string) {
    if (typeof text !== 'string') throw argumentError('type', 'text must be a string');
    if (!/^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|s?nan\d*)$/i.test(text)) {
      throw argumentError('range', 'text is no decimal number');
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
