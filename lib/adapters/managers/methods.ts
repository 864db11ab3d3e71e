// SPDX-License-Identifier: MIT
//
// Objects of the user, whose methods a manager lets clients call.
import { argumentError } from '../../core/errors.js';
import { kReduce } from '../../reduction/registry.js';
import { setOwn } from '../../serialization/pickle/dicts.js';
import type { Arguments } from './arguments.js';
import { servedAs } from './kinds.js';
import type { Served } from './served.js';
import { forNode } from './values.js';

/** A function with the arguments of a client. Those by name are the properties of one object more, at the end. */
export function apply(target: (...args: unknown[]) => unknown, self: unknown, args: Arguments): unknown {
  const values = args.positional.map(forNode);
  if (args.keywords.length > 0) {
    const byName = {};
    for (const [name, value] of args.keywords) setOwn(byName, name as string, forNode(value));
    values.push(byName);
  }
  return target.apply(self, values);
}

/** The names of the methods of an object, without those that begin with an underscore. CPython: `public_methods`. */
function publicMethods(object: object): string[] {
  const names = new Set<string>();
  for (let from: object | null = object; from !== null && from !== Object.prototype;) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
      if (typeof value === 'function' && name !== 'constructor' && !name.startsWith('_')) names.add(name);
    }
    from = Object.getPrototypeOf(from) as object | null;
  }
  return [...names];
}

/**
 * How an object is served.
 *
 * @param exposed The methods that clients may call; undefined for all.
 * @param proxies The types of the proxies that clients get for the results of methods.
 */
export function servedObject(
  object: unknown,
  exposed: readonly string[] | undefined,
  proxies: Readonly<Record<string, string>>,
): Served {
  if (typeof object !== 'object' || object === null) {
    throw argumentError('type', 'object must be a ManagedQueue or the like, or an object with methods');
  }
  if (kReduce in object) {
    const { name } = object.constructor;
    throw argumentError(
      'type',
      `object is a ${name}, which only processes of this machine share: give a ManagedQueue or the like`,
    );
  }
  const own = servedAs(object);
  if (own !== undefined)
    return exposed === undefined ? own : { ...own, exposed, has: (name) => exposed.includes(name) };
  const names = exposed ?? publicMethods(object);
  const methods = object as Readonly<Record<string, (...args: unknown[]) => unknown>>;
  const missing = names.find((name) => typeof methods[name] !== 'function');
  if (missing !== undefined) throw argumentError('range', `exposed names ${missing}, which the object does not have`);
  return {
    exposed: names,
    has: (name) => names.includes(name),
    call: (name, args) => apply(methods[name] as (...args: unknown[]) => unknown, object, args),
    proxyTypeOf: (name) => (Object.hasOwn(proxies, name) ? proxies[name] : undefined),
    describe: () => `<${object.constructor?.name ?? 'object'} of Node>`,
  };
}
