// SPDX-License-Identifier: MIT
//
// Errors on their way from a child to its parent, as plain data that every serialisation carries. What a program throws may
// be anything, with getters that throw and properties of any type. To describe it must not fail, since the description of a
// failure would be lost, and a description must not make its receiver fail.
import { inspect } from 'node:util';

import { isError, isPlain } from './realms.js';

/** How a child describes its failure. */
export interface ChildFailure {
  /** The stage in which it failed. */
  readonly stage: 'attach' | 'import' | 'export' | 'run';
  /** The name and the message of its error. */
  readonly message: string;
  /** The stack or traceback. */
  readonly stack: string;
}

/** A failure, and what was thrown if the child's language is that of the parent. */
export interface ReportedFailure extends ChildFailure {
  readonly thrown?: ReportedValue | undefined;
}

/** An error as data. An error that occurs twice, such as one that is its own cause, is one object. */
export interface ReportedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  cause?: ReportedValue;
  errors?: ReportedValue;
  /** Its other own enumerable properties. */
  fields: Record<string, ReportedValue>;
}

/** A value as data. A value of any other kind is replaced by the text that `util.inspect` makes of it. */
export type ReportedValue =
  | { readonly error: ReportedError }
  | { readonly list: readonly ReportedValue[] }
  | { readonly object: Readonly<Record<string, ReportedValue>> }
  | { readonly value: string | number | boolean | bigint | null | undefined };

/** The longest text in a report. */
const MOST_CHARACTERS = 16 * 1024;

/** The most characters of a whole report. It must fit the buffer of the socket, since the parent may not be reading. */
const MOST_IN_REPORT = 48 * 1024;

/** The most values in a report, which take room beside their characters. */
const MOST_VALUES = 500;

/** How deep lists and objects in the properties of an error are described. */
const MOST_LEVELS = 4;

const STANDARD = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

/** The result of a call into the user's code; undefined if that code throws. */
function attempt<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    // A getter or a proxy of the user. The error that is being described matters more than this one.
    return undefined;
  }
}

/** The text that stands for a value, without running code of the user. */
function shown(value: unknown): string {
  return attempt(() => inspect(value, { customInspect: false, showProxy: true })) ?? 'a value that cannot be shown';
}

/** Makes one report. */
class Reporter {
  readonly #errors = new Map<object, ReportedError>();
  #characters = MOST_IN_REPORT;
  #values = MOST_VALUES;

  value(value: unknown, levels = MOST_LEVELS): ReportedValue {
    this.#values -= 1;
    if (isError(value)) return { error: this.#error(value) };
    if (typeof value === 'string') return { value: this.#clip(value) };
    if (['number', 'boolean', 'undefined'].includes(typeof value) || value === null) {
      return { value: value as number | boolean | null | undefined };
    }
    // A number of any size would escape the limit on characters.
    if (typeof value === 'bigint' && BigInt.asIntN(256, value) === value) return { value };
    return (
      (levels > 0 ? attempt(() => this.#parts(value, levels - 1)) : undefined) ?? { value: this.#clip(shown(value)) }
    );
  }

  #error(error: Error): ReportedError {
    const known = this.#errors.get(error);
    if (known !== undefined) return known;
    const read = (key: keyof Error): unknown => attempt(() => error[key]);
    const text = (value: unknown, otherwise: string): string =>
      this.#clip(typeof value === 'string' ? value : otherwise);
    const name = text(read('name'), 'Error');
    const given = read('message');
    const message = text(given, given === undefined ? '' : shown(given));
    const stack = text(read('stack'), headOf(name, message));
    const report: ReportedError = { name, message, stack, fields: {} };
    this.#errors.set(error, report);
    if (attempt(() => 'cause' in error) === true) report.cause = this.#within(() => error.cause);
    if (attempt(() => 'errors' in error) === true)
      report.errors = this.#within(() => (error as { errors?: unknown }).errors);
    report.fields = this.#fields(error, ['name', 'message', 'stack', 'cause', 'errors'], MOST_LEVELS);
    return report;
  }

  /** An array or a plain object; undefined for another value. */
  #parts(value: unknown, levels: number): ReportedValue | undefined {
    if (Array.isArray(value)) {
      return {
        list: Array.from({ length: Math.min(value.length, this.#values) }, (_, i) =>
          this.#within(() => value[i] as unknown, levels),
        ),
      };
    }
    if (typeof value !== 'object' || value === null || !isPlain(value)) return undefined;
    return { object: this.#fields(value, [], levels) };
  }

  #fields(object: object, except: readonly string[], levels: number): Record<string, ReportedValue> {
    const fields: Record<string, ReportedValue> = {};
    for (const key of attempt(() => Object.keys(object)) ?? []) {
      if (except.includes(key) || key === '__proto__') continue;
      if (this.#values <= 0 || this.#characters <= 0) break;
      fields[this.#clip(key)] = this.#within(() => (object as Record<string, unknown>)[key], levels);
    }
    return fields;
  }

  #within(read: () => unknown, levels = MOST_LEVELS): ReportedValue {
    const value = attempt(read);
    return this.#values > 0 && this.#characters > 0 ? this.value(value, levels) : { value: undefined };
  }

  #clip(text: string): string {
    const most = Math.min(MOST_CHARACTERS, this.#characters);
    this.#characters -= Math.min(text.length, most);
    return text.length <= most ? text : `${text.slice(0, most)} ...`;
  }
}

function headOf(name: string, message: string): string {
  return message === '' ? name : `${name}: ${message}`;
}

/** Describes what a program has thrown. Never throws. */
export function failureOf(thrown: unknown, stage: ChildFailure['stage']): ReportedFailure {
  const reported = new Reporter().value(thrown);
  if ('error' in reported) {
    const { name, message, stack } = reported.error;
    return { stage, message: headOf(name, message), stack, thrown: reported };
  }
  const text = shown(thrown).slice(0, MOST_CHARACTERS);
  return { stage, message: text, stack: text, thrown: reported };
}

/** Makes a value from its description. Errors are of the standard class that has their name, or plain errors. */
export function rebuildReported(reported: ReportedValue, known = new Map<ReportedError, Error>()): unknown {
  const put = (object: object, key: string, value: unknown, enumerable: boolean): void => {
    Object.defineProperty(object, key, { value, enumerable, writable: true, configurable: true });
  };
  const putAll = (object: object, fields: Readonly<Record<string, ReportedValue>>): object => {
    for (const [key, value] of Object.entries(fields)) put(object, key, rebuildReported(value, known), true);
    return object;
  };
  if ('list' in reported) return reported.list.map((item) => rebuildReported(item, known));
  if ('object' in reported) return putAll({}, reported.object);
  if (!('error' in reported)) return reported.value;
  const { name, message, stack, cause, errors, fields } = reported.error;
  const found = known.get(reported.error);
  if (found !== undefined) return found;
  const Class = Object.hasOwn(STANDARD, name) ? STANDARD[name as keyof typeof STANDARD] : Error;
  const error = name === 'AggregateError' ? new AggregateError([], message) : new Class(message);
  known.set(reported.error, error);
  if (error.name !== name) put(error, 'name', name, false);
  put(error, 'stack', stack, false);
  if (cause !== undefined) put(error, 'cause', rebuildReported(cause, known), false);
  if (errors !== undefined) put(error, 'errors', rebuildReported(errors, known), false);
  return putAll(error, fields);
}

/** What the child has thrown, if it has reported that. */
export function causeOf({ thrown }: ReportedFailure): ErrorOptions | undefined {
  try {
    return thrown && { cause: rebuildReported(thrown) };
  } catch {
    // Not written by this package, but by a function that has found the channel.
    return undefined;
  }
}
