// SPDX-License-Identifier: MIT
//
// Values that contain objects of this package, on their way to another process. The reduced form of each object travels
// beside the value, once: if the sender had one object in several places, so has the receiver.
import { argumentError, BusyError, ClosedError, NotSupported } from '../../core/errors.js';
import { checkInteger } from '../../core/validate.js';
import {
  isReducible,
  kIdentity,
  rebuildObject,
  reduceObject,
  type Rebuilt,
  type Reduced,
  type Reducible,
} from '../../reduction/registry.js';
import { refuseShareable } from '../../reduction/shareable.js';
import { sharedView } from '../../reduction/shared-views.js';
import type { Exporter, Importer } from '../../reduction/exporters.js';
import { decodeValue } from './decoding/decoder.js';
import type { ObjectHooks } from './encoding/encoder.js';
import { encodeValue } from './encoding/index.js';
import { ownBytes } from './encoding/output.js';
import type { ObjectGraph } from './object-graph.js';

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

/** Reduces the objects of one value, which most values do not have. */
class Reduction implements ObjectHooks {
  readonly views = true;
  readonly #exporter: () => Exporter;
  #objects: ReducedObjects | undefined;
  /** For each stand-in the index of its object among the reduced forms. */
  readonly #numbers: number[] = [];

  constructor(exporter: () => Exporter) {
    this.#exporter = exporter;
  }

  /** The objects; undefined if there are none. */
  get found(): ObjectGraph['objects'] | undefined {
    return this.#objects && [this.#objects.list, this.#numbers];
  }

  standIn(object: object): number {
    const reducible = isReducible(object) ? object : sharedView(object);
    if (reducible === undefined) refuseShareable(object);
    this.#objects ??= new ReducedObjects(this.#exporter());
    return this.#numbers.push(this.#objects.add(reducible as Reducible)) - 1;
  }

  /** The same error, with the path to the object that caused it. */
  errorAt(path: string, error: unknown): unknown {
    const options = { cause: error };
    if (error instanceof ClosedError) return new ClosedError(path);
    if (error instanceof BusyError) return new BusyError(`${path}: ${error.message}`, options);
    if (error instanceof NotSupported) return new NotSupported(`${path}: ${error.message}`, options);
    return error;
  }
}

/**
 * Reduces a value for another process. Throws `PicklingError` for a part that cannot be serialised and `NotSupported`
 * for a part that cannot be passed on, each with the path to that part.
 *
 * @param name The name of the value in error messages.
 * @param exporter Called for the first object of this package in the value.
 * @returns The message of the value if there is no such object. Its memory may be used again for the next message.
 */
export function reduceMessage(value: unknown, name: string, exporter: () => Exporter): Uint8Array | ObjectGraph {
  const reduction = new Reduction(exporter);
  const bytes = encodeValue(value, name, reduction);
  const objects = reduction.found;
  return objects === undefined ? bytes : { objects, value: ownBytes(bytes) };
}

/** The same for a value that always travels as a graph. */
export function reduceValue(value: unknown, name: string, exporter: Exporter): ObjectGraph {
  const reduced = reduceMessage(value, name, () => exporter);
  return reduced instanceof Uint8Array ? { objects: [[], []], value: ownBytes(reduced) } : reduced;
}

/** Rebuilds a value. If that fails, none of its objects stays open. */
export function rebuildValue(graph: ObjectGraph, importer: Importer): unknown {
  const [list, numbers] = graph.objects;
  const { buffer, byteOffset, byteLength } = graph.value;
  const rebuilt: Rebuilt[] = [];
  const find = (number: unknown): Rebuilt => {
    checkInteger(number, 'number', 0, rebuilt.length - 1);
    return rebuilt[number] as Rebuilt;
  };
  try {
    for (const reduced of list) rebuilt.push(rebuildNext(reduced, importer, find));
    const found = numbers.map(find);
    const standIn = (number: number): Rebuilt => {
      checkInteger(number, 'number', 0, found.length - 1);
      return found[number] as Rebuilt;
    };
    return decodeValue(Buffer.from(buffer, byteOffset, byteLength), byteLength, true, standIn);
  } catch (error) {
    for (const object of rebuilt) object.close?.();
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
