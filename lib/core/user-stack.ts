// SPDX-License-Identifier: MIT
//
// The stack of an error begins at the user's call of this package. So the first line of the stack is the user's, and Node prints
// that line if nothing catches the error. V8 can leave out all calls above that of a given function; the function that the user
// called is found by its name among the exports of the loaded files. All this takes time only when there is an error.
import { createRequire } from 'node:module';
import { join } from 'node:path';

/* eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- Classes are among them. */
type AnyFunction = Function;

/** The folder of this package's files, once it was asked for. */
let folder: string | undefined;

function ownFolder(): string {
  return (folder ??= join(import.meta.dirname, '../'));
}

function isOwnFile(file: string): boolean {
  return file.startsWith(ownFolder());
}

/** More than what lies between the user's call and any error. */
const MOST_FRAMES = 30;

/** The calls that are in progress, innermost first, at most `limit` of them from the caller of `after` on. */
function calls(after: AnyFunction, limit: number): NodeJS.CallSite[] {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const holder: { stack?: NodeJS.CallSite[] } = {};
  try {
    Error.stackTraceLimit = limit;
    Error.prepareStackTrace = (_, sites) => sites;
    Error.captureStackTrace(holder, after);
    // The sites are made when the property is read.
    return holder.stack ?? [];
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    (Error as { prepareStackTrace: unknown }).prepareStackTrace = prepareStackTrace;
  }
}

function isOurs(site: NodeJS.CallSite): boolean {
  return isOwnFile(site.getFileName() ?? '');
}

/** Whether a call is made in a file of the user, neither in one of this package nor inside Node. */
function isUsers(site: NodeJS.CallSite): boolean {
  const file = site.getFileName();
  return typeof file === 'string' && !file.startsWith('node:') && !isOwnFile(file);
}

function isSamePlace(a: NodeJS.CallSite | undefined, b: NodeJS.CallSite | undefined): boolean {
  return (
    a?.getFileName() === b?.getFileName() &&
    a?.getLineNumber() === b?.getLineNumber() &&
    a?.getColumnNumber() === b?.getColumnNumber()
  );
}

/** The values of an object's properties, and their accessors. */
function membersOf(owner: object): unknown[] {
  return Reflect.ownKeys(owner).flatMap((key) => {
    const property = Object.getOwnPropertyDescriptor(owner, key);
    return [property?.value as unknown, property?.get, property?.set];
  });
}

/** Of an exported value what has members that users can call: a class and its prototype, or a namespace. */
function ownersIn(value: unknown): object[] {
  if (typeof value === 'function') {
    const prototype = Object.getOwnPropertyDescriptor(value, 'prototype');
    // That of a class cannot be replaced.
    return prototype?.writable === false ? [value, prototype.value as object] : [];
  }
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null ? [value] : [];
}

/** Every function that users can call, by its name. */
const functions = new Map<string, Set<AnyFunction>>();

/** Adds a method that stands behind one of the same name, which is what users call. */
export function addMethod(method: AnyFunction): void {
  functions.set(method.name, (functions.get(method.name) ?? new Set()).add(method));
}

/** How many files were loaded when these functions were looked for. */
let filesSearched = 0;

/** Looks for functions in the files of this package, which require() loads when they are needed. */
function searchFiles(): void {
  const { cache } = createRequire(import.meta.filename);
  const files = Object.keys(cache);
  if (files.length === filesSearched) return;
  filesSearched = files.length;
  const exported = files.filter(isOwnFile).flatMap((file) => membersOf(cache[file]?.exports as object));
  for (const value of [...exported, ...exported.flatMap(ownersIn).flatMap(membersOf)]) {
    if (typeof value !== 'function') continue;
    addMethod(value);
  }
}

/** The function that was called at a place by a caller; undefined if it is none that a user can call. */
function calledFunction(name: string, caller: NodeJS.CallSite | undefined): AnyFunction | undefined {
  const search = (): AnyFunction | undefined =>
    [...(functions.get(name) ?? [])].find((candidate) => isSamePlace(calls(candidate, 1)[0], caller));
  const found = search();
  if (found !== undefined) return found;
  searchFiles();
  return search();
}

/**
 * Makes the stack of an error begin at the call of this package that has caused it, if a user's function made that call. The
 * error must be thrown or passed on whatever happens here, which depends on properties of `Error` that programs may change.
 *
 * @param maker The function that makes the error, or its class.
 */
export function beginAtCaller(error: Error, maker: AnyFunction): void {
  try {
    const sites = calls(maker, MOST_FRAMES);
    const user = sites.findIndex(isUsers);
    const outermost = sites.slice(0, user).findLastIndex(isOurs);
    const name = sites[outermost]?.getFunctionName();
    if (user < 0 || typeof name !== 'string') return;
    const called = calledFunction(name, sites[outermost + 1]);
    if (called !== undefined) Error.captureStackTrace(error, called);
  } catch {
    // The stack stays as it was.
  }
}

function hasUsers({ stack = '' }: Error): boolean {
  const isPlace = (line: string): boolean => /^ {4}at .*:\d+\)?$/.test(line) && !/[ (]node:/.test(line);
  return stack.split('\n').some((line) => isPlace(line) && !line.includes(ownFolder()));
}

/**
 * A promise that rejects with an error. An error that is made for an event, such as the end of the data, has only calls of this
 * package and of Node in its stack. Its stack then has the functions that await the promise, which V8 finds while a reaction runs.
 */
export function rejectAtAwait(error: unknown): Promise<never> {
  const fail = (): never => {
    if (error instanceof Error) beginAtAwait(error, fail);
    throw error;
  };
  // What this promise resolves is connected with it after the first reaction.
  return Promise.resolve()
    .then(() => undefined)
    .then(fail);
}

function beginAtAwait(error: Error, reaction: AnyFunction): void {
  const { stackTraceLimit } = Error;
  try {
    const sites = calls(reaction, MOST_FRAMES);
    const inside = sites.findIndex(isUsers);
    if (inside < 0 || hasUsers(error)) return;
    Error.stackTraceLimit += inside;
    Error.captureStackTrace(error, reaction);
    const lines = error.stack?.split('\n') ?? [];
    const first = lines.length - Math.min(sites.length, Error.stackTraceLimit);
    if (lines[first]?.startsWith('    at ') === true) error.stack = lines.toSpliced(first, inside).join('\n');
  } catch {
    // The stack stays as it was.
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
