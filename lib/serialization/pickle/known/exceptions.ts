// SPDX-License-Identifier: MIT
//
// The exceptions of module builtins, and the exceptions that JavaScript's errors become in Python.
import { constants } from 'node:os';
import { types } from 'node:util';

import { isError } from '../../../core/realms.js';
import { reducerTable, type Reducer } from '../hooks.js';
import { refuse, text } from './arguments.js';
import { PythonGlobal, PythonObject, PythonTuple, reduce, type PickleNode } from '../nodes.js';
import { PythonError } from '../python-error.js';

/** The exceptions that can be made of one argument. */
const SIMPLE = [
  ...['ArithmeticError', 'AssertionError', 'AttributeError', 'BaseException', 'BlockingIOError', 'BrokenPipeError'],
  ...['BufferError', 'BytesWarning', 'ChildProcessError', 'ConnectionAbortedError', 'ConnectionError'],
  ...[
    'ConnectionRefusedError',
    'ConnectionResetError',
    'DeprecationWarning',
    'EOFError',
    'EncodingWarning',
    'Exception',
  ],
  ...['FileExistsError', 'FileNotFoundError', 'FloatingPointError', 'FutureWarning', 'GeneratorExit', 'ImportError'],
  ...['ImportWarning', 'IndentationError', 'IndexError', 'InterruptedError', 'IsADirectoryError', 'KeyError'],
  ...['KeyboardInterrupt', 'LookupError', 'MemoryError', 'ModuleNotFoundError', 'NameError', 'NotADirectoryError'],
  ...['NotImplementedError', 'OSError', 'OverflowError', 'PendingDeprecationWarning', 'PermissionError'],
  ...['ProcessLookupError', 'PythonFinalizationError', 'RecursionError', 'ReferenceError', 'ResourceWarning'],
  ...['RuntimeError', 'RuntimeWarning', 'StopAsyncIteration', 'StopIteration', 'SyntaxError', 'SyntaxWarning'],
  ...['SystemError', 'SystemExit', 'TabError', 'TimeoutError', 'TypeError', 'UnboundLocalError', 'UnicodeError'],
  ...['UnicodeWarning', 'UserWarning', 'ValueError', 'Warning', 'ZeroDivisionError'],
];

/** What an argument must be. */
interface Kind {
  readonly name: string;
  readonly accepts: (value: unknown) => boolean;
}

const TEXT: Kind = { name: 'a string', accepts: (value) => typeof value === 'string' };
const WHOLE: Kind = {
  name: 'a whole number',
  accepts: (value) => Number.isInteger(value) || typeof value === 'bigint',
};
const BYTES: Kind = { name: 'a Uint8Array', accepts: types.isUint8Array };
const EXCEPTIONS: Kind = {
  name: 'an Array of exceptions, at least one',
  accepts: (value) => Array.isArray(value) && value.length > 0 && value.every(isException),
};

/** The exceptions that Python makes of these arguments only. */
const EXACT: Readonly<Record<string, readonly Kind[]>> = {
  BaseExceptionGroup: [TEXT, EXCEPTIONS],
  ExceptionGroup: [TEXT, EXCEPTIONS],
  UnicodeDecodeError: [TEXT, BYTES, WHOLE, WHOLE, TEXT],
  UnicodeEncodeError: [TEXT, TEXT, WHOLE, WHOLE, TEXT],
  UnicodeTranslateError: [TEXT, WHOLE, WHOLE, TEXT],
};

/** The exceptions whose second argument is a place in a source text. */
const WITH_PLACE = ['IndentationError', 'SyntaxError', 'TabError'];

function isException(value: unknown): boolean {
  return isError(value) || value instanceof PythonObject;
}

/** Throws if Python would not make the exception of these arguments: then the receiver would get nothing at all. */
function checkArguments({ name, args }: PythonError): void {
  const kinds = EXACT[name];
  if (kinds?.every((kind, i) => kind.accepts(args[i])) === false || (kinds && args.length !== kinds.length)) {
    throw new TypeError(`the arguments of ${name} must be ${kinds.map((kind) => kind.name).join(', ')}`);
  }
  const place = args[1] instanceof PythonTuple ? args[1].items : args[1];
  if (WITH_PLACE.includes(name) && args.length === 2 && !(Array.isArray(place) && [4, 6].includes(place.length))) {
    throw new TypeError(`the second argument of ${name} must be an Array of a file name, a line, a column and a text`);
  }
}

/** The classes that an OSError gets by its number. */
const OS_ERRORS: Readonly<Record<string, readonly string[]>> = {
  BlockingIOError: ['EAGAIN', 'EALREADY', 'EINPROGRESS', 'EWOULDBLOCK'],
  BrokenPipeError: ['EPIPE'],
  ChildProcessError: ['ECHILD'],
  ConnectionAbortedError: ['ECONNABORTED'],
  ConnectionRefusedError: ['ECONNREFUSED'],
  ConnectionResetError: ['ECONNRESET'],
  FileExistsError: ['EEXIST'],
  FileNotFoundError: ['ENOENT'],
  InterruptedError: ['EINTR'],
  IsADirectoryError: ['EISDIR'],
  NotADirectoryError: ['ENOTDIR'],
  PermissionError: ['EACCES', 'EPERM'],
  ProcessLookupError: ['ESRCH'],
  TimeoutError: ['ETIMEDOUT'],
};

const byErrno = new Map<unknown, string>(
  Object.entries(OS_ERRORS).flatMap(([name, codes]) =>
    codes.map((code): [unknown, string] => [(constants.errno as Record<string, number>)[code], name]),
  ),
);

/** Python finds the class of an OSError by its number, and protocols 0 to 2 rely on that. */
function nameFor(name: string, args: readonly unknown[]): string {
  return name === 'OSError' && args.length >= 2 ? (byErrno.get(args[0]) ?? name) : name;
}

function reducer(name: string): Reducer {
  return {
    pure: true,
    call: (args) => new PythonError(nameFor(name, args), args),
    build(object, state) {
      (object as PythonError).attributes = state;
    },
  };
}

const reducers = Object.fromEntries([...SIMPLE, ...Object.keys(EXACT)].map((name) => [name, reducer(name)]));

/** Python puts quotes around a traceback that is the text of another one. */
function withoutQuotes(traceback: string): string {
  return traceback.replace(/^\s*"""\n/, '').replace(/\n*"""\s*$/, '');
}

/** An exception as a worker of multiprocessing.pool or concurrent.futures sends it, with its traceback as text. */
const rebuildException: Reducer = {
  most: 2,
  call([error, traceback]) {
    // A registered class has properties of its own.
    if (error instanceof PythonError) error.setTraceback(withoutQuotes(text(traceback, 'the traceback')));
    return Object(error) === error ? error : refuse('it is not an exception');
  },
};

/** The text of a traceback, which is the cause of such an exception. */
const remoteTraceback: Reducer = { pure: true, most: 1, call: (args) => new PythonError('RemoteTraceback', args) };

/** The error of a result that cannot be pickled: the texts of the reason and of the result. */
const maybeEncodingError: Reducer = {
  pure: true,
  most: 2,
  call: (args) => new PythonError('MaybeEncodingError', args),
  build(object, state) {
    (object as PythonError).attributes = state;
  },
};

export const exceptionReducers = reducerTable({
  builtins: reducers,
  'multiprocessing.pool': {
    rebuild_exc: rebuildException,
    RemoteTraceback: remoteTraceback,
    MaybeEncodingError: maybeEncodingError,
  },
  'concurrent.futures.process': { _rebuild_exc: rebuildException, _RemoteTraceback: remoteTraceback },
});

/** Python's names for errors of JavaScript. */
const RENAMED: Readonly<Record<string, string>> = {
  RangeError: 'ValueError',
  ReferenceError: 'NameError',
  URIError: 'ValueError',
};

const globals = new Map(SIMPLE.map((name) => [name, new PythonGlobal('builtins', name)]));
const exactGlobals = new Map(Object.keys(EXACT).map((name) => [name, new PythonGlobal('builtins', name)]));

function globalFor(name: string): PythonGlobal {
  return globals.get(RENAMED[name] ?? name) ?? (globals.get('Exception') as PythonGlobal);
}

/** An exception of the same name and message, or `OSError(errno, message)`, or else `Exception`. */
export function encodeError(error: Error): PickleNode {
  if (error instanceof PythonError) {
    checkArguments(error);
    const type = globals.get(error.name) ?? exactGlobals.get(error.name) ?? globalFor(error.name);
    return reduce(type, error.args, error.attributes);
  }
  const { errno } = error as NodeJS.ErrnoException;
  const message = error.message;
  if (typeof errno === 'number' && errno < 0) return reduce(globalFor('OSError'), [-errno, message]);
  return reduce(globalFor(error.name), message === '' ? [] : [message]);
}
