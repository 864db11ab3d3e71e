// SPDX-License-Identifier: MIT
//
// Each class says how its objects are reduced (`[kReduce]`, CPython's `__reduce__`). A table by type says how they are
// rebuilt (CPython's `copyreg`). The folders of the classes add their entries to it.
import { argumentError } from '../core/errors.js';
import { checkObject } from '../core/validate.js';
import type { Exporter, Importer } from './exporters.js';

/** Key of the method that returns the reduced form of an object. CPython: `__reduce__`. */
export const kReduce = Symbol('reduce');

/**
 * Key of the method that returns the part that an object shares with its copies, such as the channel of a Connection. A
 * second object with the same identity is rebuilt by `dup()` of the first: two readers of one stream would each miss
 * the bytes that the other has read ahead.
 */
export const kIdentity = Symbol('identity');

/** A plain value that stands for an object. */
export interface Reduced {
  /** The class. */
  readonly type: string;
}

/** Reduces an object that another object uses and that user code may refer to as well. */
export type ReducePart = (part: Reducible) => unknown;
/** The counterpart of `ReducePart`. `name` is the name of the part in error messages. */
export type RebuildPart = (reduced: unknown, name: string) => unknown;

/** An object of this package that can be passed on. */
export interface Reducible {
  [kReduce](exporter: Exporter, reducePart: ReducePart): Reduced;
  [kIdentity]?(): object;
}

/** An object that was rebuilt. */
export interface Rebuilt {
  /** Missing for a typed array, which ends with its last use. */
  close?(): void;
  dup?(): Rebuilt;
}

/**
 * Makes an object from the fields of its reduced form, which are not checked yet.
 *
 * @param name The name of the reduced form in error messages.
 */
export type Rebuild = (
  fields: Record<string, unknown>,
  name: string,
  importer: Importer,
  rebuildPart: RebuildPart,
) => Rebuilt;

const rebuilders = new Map<unknown, Rebuild>();

/** Adds types to the table. A later entry replaces an earlier one, which may only exist to load the later one. */
export function registerRebuild(types: readonly string[], rebuild: Rebuild): void {
  for (const type of types) rebuilders.set(type, rebuild);
}

/** Whether an object belongs to this package and can be passed on. */
export function isReducible(object: unknown): object is Reducible {
  return typeof object === 'object' && object !== null && kReduce in object;
}

/**
 * The reduced form of an object.
 *
 * @param reducePart Reduces an object that this one uses. Default: to its full reduced form.
 */
export function reduceObject(
  object: Reducible,
  exporter: Exporter,
  reducePart: ReducePart = (part) => reduceObject(part, exporter),
): Reduced {
  return object[kReduce](exporter, reducePart);
}

/**
 * Makes an object from its reduced form.
 *
 * @param rebuildPart The counterpart of `reducePart`. Default: makes the part from its full reduced form.
 */
export function rebuildObject(
  reduced: unknown,
  name: string,
  importer: Importer,
  rebuildPart: RebuildPart = (part, partName) => rebuildObject(part, partName, importer),
): Rebuilt {
  checkObject(reduced, name);
  const fields = reduced as Record<string, unknown>;
  const rebuild = rebuilders.get(fields['type']);
  if (rebuild === undefined) throw argumentError('type', `${name}.type must be that of an object from describe()`);
  return rebuild(fields, name, importer, rebuildPart);
}
