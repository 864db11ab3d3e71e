// SPDX-License-Identifier: MIT
//
// Requests to a manager, and what its answers mean.
import { argumentError, Empty, Full, ShutDown, UnpicklingError } from '../../core/errors.js';
import { RemoteError } from '../../core/pool-errors.js';
import { isError } from '../../core/realms.js';
import { decodePickle, encodePickle } from '../../serialization/pickle/codec.js';
import { reducerTable, type Reducer } from '../../serialization/pickle/hooks.js';
import { PythonObject, PythonTuple } from '../../serialization/pickle/nodes.js';
import { PythonError } from '../../serialization/pickle/python-error.js';
import { ERROR, PROXY, RETURN, TRACEBACK, UNSERIALIZABLE } from './messages.js';

/** The name of an object in its manager. */
export interface Token {
  readonly typeid: string;
  readonly id: string;
}

/** A text would be taken for a list of its characters. */
export function checkArgs(args: unknown): void {
  if (!Array.isArray(args)) throw argumentError('type', "args must be an array: call('get', [true, 2.5])");
}

export function writeRequest(id: string | null, name: string, args: readonly unknown[], kwargs: unknown = {}): Buffer {
  return encodePickle(new PythonTuple([id, name, new PythonTuple(args), kwargs]));
}

const made = (make: () => Error): Reducer => ({ call: make, pure: true });
const empty = made(() => new Empty());

/** What managers send beside ordinary values. Anything unknown is kept as a PythonObject, without being called. */
const HOOKS = {
  unknown: 'opaque',
  reducers: reducerTable({
    _queue: { Empty: empty },
    queue: { Empty: empty, Full: made(() => new Full()), ShutDown: made(() => new ShutDown()) },
  }),
} as const;

/** The error for an exception of Python. */
function errorFor(exception: unknown): Error {
  if (exception instanceof PythonError) {
    const { name, message, args } = exception;
    return new RemoteError({ type: name, message, args, traceback: '' }, { cause: exception });
  }
  if (exception instanceof PythonObject) {
    const { type, args } = exception;
    const message = args.map(String).join(', ');
    return new RemoteError({ type: type.toString(), message, args, traceback: '' }, { cause: exception });
  }
  return isError(exception) ? exception : new UnpicklingError('The manager has sent an error that is no exception');
}

/** The error for a failure of the manager, which sends a traceback as a text. */
function remoteError(kind: string, text: string): Error {
  const last = text.trimEnd().split('\n').at(-1) ?? '';
  const [, type = 'Exception', message = last] = /^([\w.]+): (.*)$/s.exec(last) ?? [];
  const about = kind === UNSERIALIZABLE ? `the result cannot be sent: ${message}` : message;
  return new RemoteError({ type, message: about, args: [], traceback: text });
}

function fieldsOf(token: unknown): Token | undefined {
  if (!(token instanceof PythonObject) || !Array.isArray(token.state)) return undefined;
  const [typeid, , id] = token.state as unknown[];
  return typeof typeid === 'string' && typeof id === 'string' ? { typeid, id } : undefined;
}

/**
 * The value of an answer. Throws what the manager has thrown.
 *
 * @param makeProxy For an answer that is a proxy.
 */
export function openAnswer(
  bytes: Buffer,
  makeProxy: ((token: Token, exposed: readonly string[]) => object) | undefined,
): unknown {
  const answer = decodePickle(bytes, true, HOOKS);
  const [kind, value] = Array.isArray(answer) ? (answer as unknown[]) : [];
  switch (kind) {
    case RETURN:
      return value;
    case ERROR:
      throw errorFor(value);
    case TRACEBACK:
    case UNSERIALIZABLE:
      throw remoteError(kind, String(value));
    case PROXY: {
      const [exposed, token] = Array.isArray(value) ? (value as unknown[]) : [];
      const fields = fieldsOf(token);
      if (fields !== undefined && makeProxy !== undefined && Array.isArray(exposed)) {
        return makeProxy(fields, exposed.map(String));
      }
    }
  }
  throw new UnpicklingError('The manager has sent something other than an answer');
}
