// SPDX-License-Identifier: MIT
//
// Classes that users register: how objects of a Python class become objects of a class of the user, and back.
import { argumentError } from '../../core/errors.js';
import { checkFunction, checkOptionNames, optionNames } from '../../core/validate.js';
import { entriesOf, setOwn } from './dicts.js';
import { KnownGlobal, type Reading, type Reducer } from './hooks.js';
import { create, PythonTuple, reduce, type PythonGlobal, type PythonObject } from './nodes.js';

/** The form in which `encode` of a registered class sends an object. */
export interface EncodedObject {
  /** The arguments with which the class is called: `Class(*args)`. Without them, only its `__new__` is called. */
  args?: readonly unknown[] | undefined;
  /** The argument of the object's `__setstate__`, or, if it has none, the update of its `__dict__`. */
  state?: unknown;
}

/** Any class whose instances are of type `T`. */
export type Class<T> = abstract new (...args: never[]) => T;

/** A class of Python, and its counterpart in JavaScript. */
export interface ClassRegistration<T extends object = object> {
  /** The module in which Python finds the class (or function). */
  module: string;
  /** Its name there. CPython: `__qualname__`. */
  name: string;
  /** The class whose instances are sent as that class. Required with `encode`, and without `decode`. */
  class?: Class<T> | undefined;
  /**
   * Makes an object from the arguments in the pickle, which are [] for most classes. Default: an object of `class`,
   * whose constructor is not called.
   *
   * @param keywords The keyword arguments of the rare `__new__` that has some: an object, else undefined.
   */
  decode?: ((args: unknown[], keywords?: unknown) => T) | undefined;
  /** Gives an object its state. Default: the entries of a dict become own properties. */
  setState?: ((object: T, state: unknown) => void) | undefined;
  /** The form in which an object is sent. Default: its own enumerable properties as the state. */
  encode?: ((object: T) => EncodedObject) | undefined;
}

const registrationNames = optionNames<ClassRegistration>({
  module: true,
  name: true,
  class: true,
  decode: true,
  setState: true,
  encode: true,
});

const reducers = new Map<string, Map<string, KnownGlobal>>();
const encoders = new Map<unknown, (object: object) => PythonObject>();

/** The reducer that a user registered for a class or function. */
export function registeredReducer(module: string, name: string): KnownGlobal | undefined {
  return reducers.get(module)?.get(name);
}

/** The encoder of a registered class, by the prototype of its instances. */
export function registeredEncoder(prototype: unknown): ((object: object) => PythonObject) | undefined {
  return encoders.get(prototype);
}

/** The names of the properties that were in `__slots__` in Python, of received objects that had some. */
const slots = new WeakMap<object, ReadonlySet<string>>();

/** Received objects that Python cannot make of their properties: they had arguments, or a state that is not a dict. */
const otherForms = new WeakSet<object>();

/** Whether a state is that of an object with `__slots__`: its `__dict__`, if any, and its slots. */
function hasSlots(state: unknown, reading: Reading): state is [unknown, unknown] {
  return reading.isTuple(state) && (state as unknown[]).length === 2;
}

/** Sets the entries of a dict. Returns their keys. */
function setEntries(object: object, dict: unknown): Set<string> {
  const names = new Set<string>();
  if (dict === null) return names;
  const entries = entriesOf(dict);
  if (entries === undefined) {
    throw new TypeError('its state is not a dict, so setState() must be registered, and encode() for sending');
  }
  for (const [key, value] of entries) {
    if (typeof key !== 'string') throw new TypeError('its state has a key that is not a str');
    setOwn(object, key, value);
    names.add(key);
  }
  return names;
}

function setProperties(object: object, state: unknown, reading: Reading): void {
  if (!hasSlots(state, reading)) {
    setEntries(object, state);
    return;
  }
  setEntries(object, state[0]);
  slots.set(object, setEntries(object, state[1]));
}

/** The state of an object for which no `encode` is registered, in the form in which it was received. */
function stateOf(object: object): unknown {
  if (otherForms.has(object)) {
    throw new TypeError('Python made it of arguments or of a state that is not a dict, and no encode() is registered');
  }
  const names = slots.get(object);
  if (names === undefined) return { ...object };
  const dict: Record<string, unknown> = {};
  const slotted: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(object)) setOwn(names.has(name) ? slotted : dict, name, value);
  return new PythonTuple([Object.keys(dict).length === 0 ? null : dict, slotted]);
}

function makeReducer({ class: Class, decode, setState }: ClassRegistration): Reducer {
  return {
    keywords: true,
    call(args, _budget, keywords) {
      if (decode !== undefined) {
        const made: unknown = decode(args, keywords);
        const hasArguments = args.length > 0 || keywords !== undefined;
        if (hasArguments && typeof made === 'object' && made !== null) otherForms.add(made);
        return made;
      }
      if (args.length > 0) throw new TypeError('it was made with arguments, and no decode() is registered');
      return Object.create((Class as NonNullable<typeof Class>).prototype as object) as object;
    },
    build(object, state, reading) {
      if (setState === undefined) {
        setProperties(object as object, state, reading);
        return;
      }
      if (state !== null && entriesOf(state) === undefined) otherForms.add(object as object);
      setState(object as object, state);
    },
  };
}

function makeEncoder(type: PythonGlobal, { encode }: ClassRegistration): (object: object) => PythonObject {
  if (encode === undefined) return (object) => create(type, [], stateOf(object));
  return (object) => {
    const encoded: unknown = encode(object);
    if (typeof encoded !== 'object' || encoded === null) throw new TypeError('encode() must return an object');
    const { args, state } = encoded as EncodedObject;
    if (args !== undefined && !Array.isArray(args)) throw new TypeError('encode() must return an Array as args');
    return args === undefined ? create(type, [], state) : reduce(type, args as unknown[], state);
  };
}

function checkName(value: unknown, name: string): asserts value is string {
  if (typeof value !== 'string') throw argumentError('type', `${name} must be a string`);
  if (value === '') throw argumentError('range', `${name} must not be empty`);
}

/**
 * Makes a class of Python known in this thread, in the place of what was known under its name before. Returns a
 * function that takes it back. CPython: `copyreg.pickle`, and importing the class.
 *
 * @throws TypeError or RangeError naming the option.
 */
export function register<T extends object>(registration: ClassRegistration<T>): () => void {
  checkOptionNames(registration, registrationNames, 'registration');
  const options = { ...registration } as unknown as ClassRegistration;
  const { module, name, class: Class, decode, setState, encode } = options;
  checkName(module, 'module');
  checkName(name, 'name');
  for (const [option, value] of Object.entries({ class: Class, decode, setState, encode })) {
    if (value !== undefined) checkFunction(value, option);
  }
  if (Class === undefined) {
    if (decode === undefined) throw argumentError('type', 'decode or class must be given');
    if (encode !== undefined) throw argumentError('type', 'class must be given for encode to be used');
  }
  const global = new KnownGlobal(module, name, makeReducer(options));
  const names = reducers.get(module) ?? new Map<string, KnownGlobal>();
  reducers.set(module, names.set(name, global));
  const prototype: unknown = Class?.prototype;
  const encoder = makeEncoder(global, options);
  if (Class !== undefined) encoders.set(prototype, encoder);
  return () => {
    if (names.get(name) === global) names.delete(name);
    if (encoders.get(prototype) === encoder) encoders.delete(prototype);
  };
}
