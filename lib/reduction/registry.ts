// SPDX-License-Identifier: MIT
//
// What an object is made of is said by its class (`[kReduce]`, CPython's `__reduce__`). How an object is made again is in a
// table by type (CPython's `copyreg`), to which the folders of the classes add their entries.
import { argumentError } from '../core/errors.js';
import { checkObject } from '../core/validate.js';
import type { Exporter, Importer } from './transfer.js';

/** Says what an object is made of. CPython: `__reduce__`. */
export const kReduce = Symbol('reduce');

/**
 * Says of an object what it shares with its copies, such as the channel of a Connection. A second object with the same
 * identity is rebuilt by `dup()` of the first: two readers of one stream would each miss what the other has read ahead.
 */
export const kIdentity = Symbol('identity');

/** A plain value that stands for an object. */
export interface Reduced {
  /** The class. */
  readonly type: string;
}

/** Stands for an object that another one uses and that users may have too. */
export type ReducePart = (part: Reducible) => unknown;
/** The counterpart of `ReducePart`. `name` is what errors call the part. */
export type RebuildPart = (reduced: unknown, name: string) => unknown;

/** An object of this package that can be passed on. */
export interface Reducible {
  [kReduce](exporter: Exporter, reducePart: ReducePart): Reduced;
  [kIdentity]?(): object;
}

/** An object that was rebuilt. */
export interface Rebuilt {
  close(): void;
  dup?(): Rebuilt;
}

/**
 * Makes an object from the fields of its reduced form, which are not checked yet.
 *
 * @param name What errors call the reduced form.
 */
export type Rebuild = (
  fields: Record<string, unknown>,
  name: string,
  importer: Importer,
  rebuildPart: RebuildPart,
) => Rebuilt;

const rebuilders = new Map<unknown, Rebuild>();

/** Adds types to the table. A later entry takes the place of an earlier one, which may only have loaded the later one. */
export function registerRebuild(types: readonly string[], rebuild: Rebuild): void {
  for (const type of types) rebuilders.set(type, rebuild);
}

export function isReducible(object: unknown): object is Reducible {
  return typeof object === 'object' && object !== null && kReduce in object;
}

/**
 * The reduced form of an object.
 *
 * @param reducePart Stands for an object that this one uses. Default: its reduced form.
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
 * @param rebuildPart The counterpart of `reducePart`.
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
  if (rebuild === undefined) throw argumentError('type', `${name}.type must name a class of this package`);
  return rebuild(fields, name, importer, rebuildPart);
}
