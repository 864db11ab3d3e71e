// SPDX-License-Identifier: MIT
//
// Which objects are of a class of the platform, whose state V8's serialiser does not see. It is in internal or private
// fields, or under symbols, so V8 makes an empty or incomplete object of it; of a WebAssembly.Module it makes nothing, not
// even a value.
import { builtinModules } from 'node:module';

/** What is known of a prototype of class instances. */
const verdicts = new WeakMap<object, Verdict>();

/** A class of a module may have all of its state in ordinary fields, as `fs.Stats` has; that of a global never has. */
type Verdict = 'no' | 'hidden' | 'by its fields';

/** A class whose instances users extend, and whose own state, the listeners, is not what such an object is for. */
const EXTENDED = 'EventEmitter';

/** Whether a class is a global of the platform. */
function isGlobal(Class: { readonly name: string }): boolean {
  // A global that the user has defined by an assignment is enumerable; those of the platform are not.
  const global = Object.getOwnPropertyDescriptor(globalThis, Class.name);
  if (global === undefined || global.enumerable === true) return false;
  const value: unknown = 'value' in global ? global.value : global.get?.call(globalThis);
  return value === Class;
}

/** Whether a class is exported by a module of Node. An object of it exists, so its module was loaded. */
function isOfModule(Class: { readonly name: string }): boolean {
  if (Class.name === '' || Class.name === EXTENDED) return false;
  const { moduleLoadList } = process as { moduleLoadList?: readonly string[] };
  const loaded = new Set(moduleLoadList);
  return builtinModules.some((name) => {
    if (!loaded.has(`NativeModule ${name}`)) return false;
    const module: unknown = process.getBuiltinModule(name);
    const named = Object(module) === module ? Object.getOwnPropertyDescriptor(module, Class.name) : undefined;
    if (named === undefined) return false;
    return ('value' in named ? named.value : named.get?.call(module)) === Class;
  });
}

/** What is known of instances with this prototype: their class, or one that it is derived from, may be the platform's. */
function judge(prototype: object): Verdict {
  for (let at: object | null = prototype; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const tag: unknown = Object.getOwnPropertyDescriptor(at, Symbol.toStringTag)?.value;
    if (typeof tag === 'string' && tag.startsWith('WebAssembly.')) return 'hidden';
    const Class: unknown = Object.getOwnPropertyDescriptor(at, 'constructor')?.value;
    if (typeof Class !== 'function' || Class === Object) continue;
    if (isGlobal(Class)) return 'hidden';
    if (isOfModule(Class)) return 'by its fields';
  }
  return 'no';
}

/** Whether an object without a place in V8's format is of a class of the platform, such as URL, Headers or Blob. */
export function isOfPlatform(object: object): boolean {
  const prototype = Object.getPrototypeOf(object) as object | null;
  if (prototype === null || prototype === Object.prototype) return false;
  let verdict = verdicts.get(prototype);
  if (verdict === undefined) verdicts.set(prototype, (verdict = judge(prototype)));
  if (verdict !== 'by its fields') return verdict === 'hidden';
  return Object.keys(object).length === 0 || Object.getOwnPropertySymbols(object).length > 0;
}
