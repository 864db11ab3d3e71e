// SPDX-License-Identifier: MIT
import { Unsendable } from '../core/errors.js';

/** The values of all marks. */
const refusals = new WeakSet();

/** What to write instead, for objects that a Process and `describe` accept. */
const REDUCIBLE =
  'pass it in the args of a Process, or send what describe() returns and attach() that on the other side';

/**
 * A property that marks an object over a resource of the operating system, so that no serialisation copies it as an
 * empty object: all serialisers read own enumerable properties, and the value of this one throws when its own property
 * is read. A copy, a comparison or a spread of the object only passes the value on. Made once per class and used with
 * Object.defineProperty, since objects of one class must be equal to each other in a comparison of their properties.
 *
 * @param advice What to write instead.
 */
export function shareableMark(typeName: string, advice = REDUCIBLE): PropertyDescriptor {
  const get = (): never => {
    throw new Unsendable(`An object of class ${typeName} cannot be part of this message: ${advice}`);
  };
  // The tag tells comparisons that the marks of two classes differ, before they read the property.
  const value = Object.create(null, {
    refused: { get, enumerable: true },
    [Symbol.toStringTag]: { value: typeName },
  }) as object;
  refusals.add(value);
  return { value, enumerable: true };
}

const ownMarks = new Map<string, PropertyDescriptor>();

/** Marks an object that is for this process only. */
export function markAsOwn(object: object): void {
  const { name } = object.constructor;
  const mark = ownMarks.get(name) ?? shareableMark(name, 'it belongs to this process, and another one makes its own');
  ownMarks.set(name, mark);
  Object.defineProperty(object, 'shareable', mark);
}

function markOf(object: object): unknown {
  return Object.getOwnPropertyDescriptor(object, 'shareable')?.value;
}

/** The name of the class of a marked object. */
export function shareableName(object: object): string | undefined {
  return isShareable(object) ? (markOf(object) as { [Symbol.toStringTag]: string })[Symbol.toStringTag] : undefined;
}

/** Whether an object is marked. */
export function isShareable(object: object): boolean {
  const mark = markOf(object);
  return typeof mark === 'object' && mark !== null && refusals.has(mark);
}

/** Throws the error of a marked object. */
export function refuseShareable(object: object): void {
  if (isShareable(object)) Reflect.get(markOf(object) as object, 'refused');
}
