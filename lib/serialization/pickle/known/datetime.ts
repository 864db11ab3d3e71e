// SPDX-License-Identifier: MIT
import { reducerTable, type Budget, type Reducer } from '../hooks.js';
import { PythonGlobal, reduce, type PickleNode, type PythonObject } from '../nodes.js';
import { PythonDate, PythonTime, TimeDelta, TimeZone, ZoneInfo } from '../values.js';
import { refuse, text, wholeNumber } from './arguments.js';
import { localMoment, momentIn } from './zones.js';

/** The state of these classes is bytes. Protocols 0 and 1 write them as text. */
function stateBytes(value: unknown, length: number): Buffer {
  const state = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  if (!Buffer.isBuffer(state) || state.length !== length) return refuse('its state has the wrong form');
  return state;
}

function zoneOf(value: unknown): TimeZone | ZoneInfo | undefined {
  if (value === undefined || value === null) return undefined;
  return value instanceof TimeZone || value instanceof ZoneInfo
    ? value
    : refuse('its time zone is of an unknown class');
}

/** The time of day in six bytes. */
function timeFields(state: Buffer, at: number): [number, number, number, number] {
  const hour = (state[at] as number) & 0x7f;
  return [hour, state[at + 1] as number, state[at + 2] as number, state.readUIntBE(at + 3, 3)];
}

function makeDate([state]: unknown[]): PythonDate {
  const bytes = stateBytes(state, 4);
  return new PythonDate(bytes.readUInt16BE(0), bytes[2] as number, bytes[3] as number);
}

function makeTime([state, zone]: unknown[]): PythonTime {
  const bytes = stateBytes(state, 6);
  return new PythonTime(...timeFields(bytes, 0), zoneOf(zone), (bytes[0] as number) >> 7);
}

function makeDatetime([state, zone]: unknown[], budget: Budget): Date {
  const bytes = stateBytes(state, 10);
  const month = (bytes[2] as number) & 0x7f;
  const fold = (bytes[2] as number) >> 7;
  // These constructors check the fields.
  const date = new PythonDate(bytes.readUInt16BE(0), month, bytes[3] as number);
  const time = new PythonTime(...timeFields(bytes, 4));
  const where = zoneOf(zone);
  const milliseconds = Math.floor(time.microsecond / 1000);
  const moment = new Date(0);
  moment.setUTCFullYear(date.year, date.month - 1, date.day);
  moment.setUTCHours(time.hour, time.minute, time.second, milliseconds);
  const shown = moment.getTime();
  // Where a zone matters, Python takes a datetime without one for local time.
  if (where === undefined) return new Date(localMoment(shown - milliseconds, fold) + milliseconds);
  if (where instanceof TimeZone) return new Date(Math.floor(shown - where.offset.milliseconds));
  return new Date(momentIn(where.key, shown - milliseconds, fold, budget) + milliseconds);
}

function makeTimeDelta([days, seconds, microseconds]: unknown[]): TimeDelta {
  return new TimeDelta(
    wholeNumber(days, 'days', -999_999_999, 999_999_999),
    wholeNumber(seconds, 'seconds', 0, 86_399),
    wholeNumber(microseconds, 'microseconds', 0, 999_999),
  );
}

function makeTimeZone([offset, name]: unknown[]): TimeZone {
  if (!(offset instanceof TimeDelta)) return refuse('its offset is not a timedelta');
  return new TimeZone(offset, name === undefined ? undefined : text(name, 'its name'));
}

const pure = (most: number, call: NonNullable<Reducer['call']>): Reducer => ({ pure: true, most, call });

const unpickleZoneInfo = pure(2, ([key]) => new ZoneInfo(text(key, 'its key')));

export const datetimeReducers = reducerTable({
  datetime: {
    date: pure(1, makeDate),
    time: pure(2, makeTime),
    datetime: pure(2, makeDatetime),
    timedelta: pure(3, makeTimeDelta),
    timezone: pure(2, makeTimeZone),
  },
  zoneinfo: { ZoneInfo: { pure: true }, 'ZoneInfo._unpickle': unpickleZoneInfo },
  'backports.zoneinfo': { ZoneInfo: { pure: true }, 'ZoneInfo._unpickle': unpickleZoneInfo },
});

const DATE = new PythonGlobal('datetime', 'date');
const TIME = new PythonGlobal('datetime', 'time');
const DATETIME = new PythonGlobal('datetime', 'datetime');
const TIMEDELTA = new PythonGlobal('datetime', 'timedelta');
const TIMEZONE = new PythonGlobal('datetime', 'timezone');
const ZONEINFO = new PythonGlobal('zoneinfo', 'ZoneInfo._unpickle');
const UTC = reduce(TIMEZONE, [reduce(TIMEDELTA, [0, 0, 0])]);

function writeTime(bytes: Buffer, at: number, hour: number, minute: number, second: number, microsecond: number): void {
  bytes[at] = hour;
  bytes[at + 1] = minute;
  bytes[at + 2] = second;
  bytes.writeUIntBE(microsecond, at + 3, 3);
}

/** A datetime in UTC. */
export function encodeDate(date: Date): PythonObject {
  const year = date.getUTCFullYear();
  if (!(year >= 1 && year <= 9999)) {
    throw new RangeError(Number.isNaN(year) ? 'the Date is invalid' : `Python has no year ${year}`);
  }
  const bytes = Buffer.alloc(10);
  bytes.writeUInt16BE(year, 0);
  bytes[2] = date.getUTCMonth() + 1;
  bytes[3] = date.getUTCDate();
  const microseconds = date.getUTCMilliseconds() * 1000;
  writeTime(bytes, 4, date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds(), microseconds);
  return reduce(DATETIME, [bytes, UTC]);
}

function encodeDay({ year, month, day }: PythonDate): PythonObject {
  return reduce(DATE, [Buffer.of(year >> 8, year & 0xff, month, day)]);
}

function encodeTime({ hour, minute, second, microsecond, zone, fold }: PythonTime): PythonObject {
  const bytes = Buffer.alloc(6);
  writeTime(bytes, 0, hour | (fold << 7), minute, second, microsecond);
  return reduce(TIME, zone === undefined ? [bytes] : [bytes, zone]);
}

export const datetimeEncoders: readonly [object, (object: never) => PickleNode][] = [
  [Date.prototype, encodeDate],
  [PythonDate.prototype, encodeDay],
  [PythonTime.prototype, encodeTime],
  [
    TimeDelta.prototype,
    ({ days, seconds, microseconds }: TimeDelta) => reduce(TIMEDELTA, [days, seconds, microseconds]),
  ],
  [
    TimeZone.prototype,
    ({ offset, name }: TimeZone) => reduce(TIMEZONE, name === undefined ? [offset] : [offset, name]),
  ],
  [ZoneInfo.prototype, ({ key }: ZoneInfo) => reduce(ZONEINFO, [key, true])],
];
