// SPDX-License-Identifier: MIT
//
// Which instances are more than their fields. V8 writes the fields of any object that has no form of its own in the
// format: an object of the platform whose state is in internal or private fields arrives empty, and a
// WebAssembly.Module arrives as nothing, not even a value.
import { builtinModules } from 'node:module';
import { types } from 'node:util';

/**
 * What an object is by its prototype: `fields` for a class of the user, `platform` for a global class of the platform or
 * one that is derived from it, `module` for one of a module of Node, which may have all of its state in ordinary fields,
 * as `fs.Stats` has, and `unknown` for one that V8 has to be asked about.
 */
export type ClassKind = 'fields' | 'platform' | 'module' | 'unknown';

/** A class whose instances users extend, and whose own state, the listeners, is not what such an object is for. */
const EXTENDED = 'EventEmitter';

const kinds = new WeakMap<object, ClassKind>();

const { toString } = Function.prototype;

function isNative(Class: unknown): boolean {
  return typeof Class === 'function' && toString.call(Class).endsWith('{ [native code] }');
}

/** A property of the object itself. With --frozen-intrinsics the classes of prototypes and globals are behind getters. */
function ownOf(object: object, key: string): unknown {
  const property = Object.getOwnPropertyDescriptor(object, key);
  try {
    return property === undefined || 'value' in property ? property?.value : property.get?.call(object);
  } catch {
    // A getter of the user, which says nothing of the class.
    return undefined;
  }
}

function findKind(prototype: object): ClassKind {
  let kind: ClassKind = 'fields';
  for (let at = prototype, next; ; at = next) {
    next = Object.getPrototypeOf(at) as object | null;
    const tag = Object.getOwnPropertyDescriptor(at, Symbol.toStringTag);
    if (typeof tag?.value === 'string' && tag.value.startsWith('WebAssembly.')) return 'platform';
    const Class = ownOf(at, 'constructor');
    if (typeof Class === 'function' && Class !== Object) {
      if (isGlobal(Class)) return 'platform';
      if (isOfModule(Class)) return 'module';
    }
    // The end of the chain is Object.prototype, of this realm or of another one.
    if (next === null) return kind;
    // Iterators have no constructor of their own, but a tag.
    if (tag !== undefined || isNative(Class)) kind = 'unknown';
  }
}

/** Whether a class is a global of the platform. A global that the user has defined by an assignment is enumerable. */
function isGlobal(Class: { readonly name: string }): boolean {
  const global = Object.getOwnPropertyDescriptor(globalThis, Class.name);
  if (global === undefined || global.enumerable === true) return false;
  return ownOf(globalThis, Class.name) === Class;
}

/** Whether a class is exported by a module of Node. An object of it exists, so its module was loaded. */
function isOfModule(Class: { readonly name: string }): boolean {
  if (Class.name === '' || Class.name === EXTENDED) return false;
  const { moduleLoadList } = process as { moduleLoadList?: readonly string[] };
  const loaded = new Set(moduleLoadList);
  return builtinModules.some((name) => {
    if (!loaded.has(`NativeModule ${name}`)) return false;
    const module: unknown = process.getBuiltinModule(name);
    return Object(module) === module && ownOf(module as object, Class.name) === Class;
  });
}

/** Whether an object of a class of a module has state that is not in its fields. */
export function hidesState(object: object): boolean {
  return Object.keys(object).length === 0 || Object.getOwnPropertySymbols(object).length > 0;
}

/** Whether an object is one of those that V8 always refuses although they may have fields. */
export function isOpaque(object: object): boolean {
  return types.isPromise(object) || types.isExternal(object) || types.isGeneratorObject(object);
}

/** What an object with this prototype is. */
export function kindOfClass(prototype: object): ClassKind {
  let kind = kinds.get(prototype);
  if (kind === undefined) kinds.set(prototype, (kind = findKind(prototype)));
  return kind;
}

/** The name of the class of an object, for an error. */
export function classNameOf(object: object): string {
  const { constructor } = object as { constructor?: unknown };
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'an unnamed class';
}
