// SPDX-License-Identifier: MIT
//
// The messages of CPython's multiprocessing/managers.py. A request is a tuple: the object's id, a function, its arguments by
// position and by name. An answer is a pair of a kind and a value.
import { Empty, Full, ShutDown, TaskDoneError } from '../../core/errors.js';
import { isError } from '../../core/realms.js';
import { create, PythonGlobal, PythonObject, reduce, PythonTuple } from '../../serialization/pickle/nodes.js';
import { PythonError } from '../../serialization/pickle/python-error.js';
import type { SocketAddress } from '../../listener/socket-address.js';
import { Arguments, typeError } from './arguments.js';
import { read, write } from './values.js';

/** How an answer begins. */
export const RETURN = '#RETURN';
export const ERROR = '#ERROR';
export const PROXY = '#PROXY';
export const TRACEBACK = '#TRACEBACK';
export const UNSERIALIZABLE = '#UNSERIALIZABLE';

/** A call of a client. */
export interface Request {
  readonly id: unknown;
  readonly name: string;
  readonly args: Arguments;
}

/** Reads a request. Throws if it is none. */
export function readRequest(bytes: Buffer): Request {
  const request = read(bytes);
  if (!Array.isArray(request) || request.length !== 4) throw typeError('The message is not a request of four parts');
  const [id, name, args, kwds] = request as unknown[];
  if (typeof name !== 'string') throw typeError('The name of the method is not a str');
  return { id, name, args: new Arguments(name, args, kwds) };
}

export function writeAnswer(kind: string, value: unknown): Buffer {
  return write(new PythonTuple([kind, value]));
}

const TOKEN = new PythonGlobal('multiprocessing.managers', 'Token');

/** The name of an object, as Python's proxies have it. */
export function makeToken(typeid: string, address: SocketAddress, id: string): PythonObject {
  const where = typeof address === 'string' ? address : new PythonTuple(address);
  return create(TOKEN, [], new PythonTuple([typeid, where, id]));
}

/** The id in a token that a client sent. */
export function idOfToken(token: unknown): unknown {
  if (!(token instanceof PythonObject) || !Array.isArray(token.state)) throw typeError('The argument is not a Token');
  return (token.state as unknown[])[2];
}

const queueError = (name: string): PythonObject => reduce(new PythonGlobal('queue', name), []);

/** The exception that a client gets for an error. Its stack stays here. */
export function exceptionFor(error: unknown): unknown {
  if (error instanceof Empty) return queueError('Empty');
  if (error instanceof Full) return queueError('Full');
  if (error instanceof ShutDown) return queueError('ShutDown');
  if (error instanceof TaskDoneError) return new PythonError('ValueError', ['task_done() called too many times']);
  return isError(error) ? error : new Error(String(error));
}

/** The text in the place of a traceback: Python prints it. */
export function tracebackOf(error: unknown): string {
  if (!isError(error)) return `${String(error)}\n`;
  const name = error instanceof PythonError ? error.name : `node-multiprocessing: ${error.name}`;
  return `${name}: ${error.message}\n`;
}
