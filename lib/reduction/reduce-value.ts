// SPDX-License-Identifier: MIT
//
// Values that contain objects of this package, on their way to another process. The reduced form of each object travels
// beside the value, once: if the sender had one object in several places, so has the receiver.
import { serialize } from 'node:v8';

import { argumentError, BusyError, ClosedError, NotSupported } from '../core/errors.js';
import { checkInteger } from '../core/validate.js';
import { deserializeGraph, serializeGraph, type ObjectGraph } from './object-graph.js';
import { isOrdinary } from './ordinary.js';
import {
  isReducible,
  kIdentity,
  rebuildObject,
  reduceObject,
  type Rebuilt,
  type Reduced,
  type Reducible,
} from './registry.js';
import type { Exporter, Importer } from './transfer.js';

/** The magic of a graph without stand-ins. */
const NO_MAGIC = new Uint8Array(0);

/** Stands for an object whose reduced form is in the list already. */
interface Same {
  readonly type: 'Same';
  readonly number: number;
}

/** Stands for a copy, made by `dup()`, of an object whose reduced form is in the list already. */
interface Copy {
  readonly type: 'Copy';
  readonly number: number;
}

/** The same error, with the path to the object that caused it. */
function errorAt(path: string, error: unknown): unknown {
  const options = { cause: error };
  if (error instanceof ClosedError) return new ClosedError(path);
  if (error instanceof BusyError) return new BusyError(`${path}: ${error.message}`, options);
  if (error instanceof NotSupported) return new NotSupported(`${path}: ${error.message}`, options);
  return error;
}

/** Reduces objects, each once, into a list in which parts stand before the objects that use them. */
class ReducedObjects {
  readonly list: (Reduced | Copy)[] = [];
  readonly #exporter: Exporter;
  readonly #numbers = new Map<object, number>();

  constructor(exporter: Exporter) {
    this.#exporter = exporter;
  }

  /** The number of an object in the list. */
  add(object: Reducible): number {
    const known = this.#numbers.get(object);
    if (known !== undefined) return known;
    const identity = object[kIdentity]?.();
    const first = identity && this.#numbers.get(identity);
    const reduced = first === undefined ? this.#reduce(object) : ({ type: 'Copy', number: first } as const);
    const number = this.list.push(reduced) - 1;
    this.#numbers.set(object, number);
    if (identity !== undefined && first === undefined) this.#numbers.set(identity, number);
    return number;
  }

  #reduce(object: Reducible): Reduced {
    return reduceObject(object, this.#exporter, (part): Same => ({ type: 'Same', number: this.add(part) }));
  }
}

/**
 * The graph of a value without objects of this package, made without a walk; undefined if `reduceValue` must walk it.
 */
export function reducePlainValue(value: unknown): ObjectGraph | undefined {
  try {
    const bytes = serialize(value);
    return isOrdinary(value, bytes.length) ? { magic: NO_MAGIC, objects: [[], []], value: bytes } : undefined;
  } catch {
    // `reduceValue` finds the reason, and the path to it.
    return undefined;
  }
}

/**
 * Reduces a value for another process. Throws `PicklingError` for a part that cannot be serialised and `NotSupported`
 * for a part that cannot be passed on, each with the path to that part.
 *
 * @param name The name of the value in error messages.
 */
export function reduceValue(value: unknown, name: string, exporter: Exporter): ObjectGraph {
  const objects = new ReducedObjects(exporter);
  const add = (object: object, path: () => string): number => {
    if (!isReducible(object)) throw new NotSupported(`${path()} is an object that cannot be passed to another process`);
    try {
      return objects.add(object);
    } catch (error) {
      throw errorAt(path(), error);
    }
  };
  const { magic, numbers, value: bytes } = serializeGraph(value, name, add);
  return { magic, objects: [objects.list, numbers], value: bytes };
}

/** Rebuilds a value. If that fails, none of its objects stays open. */
export function rebuildValue(graph: ObjectGraph, importer: Importer): unknown {
  const [list, numbers] = graph.objects;
  const rebuilt: Rebuilt[] = [];
  const find = (number: unknown): Rebuilt => {
    checkInteger(number, 'number', 0, rebuilt.length - 1);
    return rebuilt[number] as Rebuilt;
  };
  try {
    for (const reduced of list) rebuilt.push(rebuildNext(reduced, importer, find));
    const found = numbers.map(find);
    return deserializeGraph(graph, (number) => found[number]);
  } catch (error) {
    for (const object of rebuilt) object.close();
    throw error;
  }
}

/** @param find An object by its index among those that were rebuilt before. */
function rebuildNext(reduced: unknown, importer: Importer, find: (number: unknown) => Rebuilt): Rebuilt {
  if ((reduced as Partial<Copy> | undefined)?.type !== 'Copy') {
    return rebuildObject(reduced, 'descriptor', importer, (part) => find((part as Partial<Same> | null)?.number));
  }
  const copy = find((reduced as Copy).number).dup?.();
  if (copy === undefined) throw argumentError('type', 'the message has a copy of an object that cannot be copied');
  return copy;
}
