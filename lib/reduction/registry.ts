// SPDX-License-Identifier: MIT
//
// Parts of this package that not everybody needs. Whoever imports the package has them all. A child process begins without
// them, since loading everything takes a sixth of its start, and gets each when it first meets something of it.
import { createRequire } from 'node:module';

import type { Describable, Descriptor } from '../describe.js';
import type { PickledArguments } from '../python/rebuild.js';
import { registerFormat } from '../serialization/codec.js';
import type { PickleFormat, PickleSerializer } from '../serialization/pickle/serializer.js';
import type { Giving, Taking } from './transfer.js';

/** How an object that another one uses is taken apart and put together, if not as a part of that. */
export type DescribePart = (part: object) => Descriptor;
export type AttachPart = (descriptor: unknown, name: string) => unknown;

/** Classes whose objects can be shared. */
export interface SharedClasses {
  /** Takes an object apart; undefined if it is of none of these classes. */
  describe(object: object, giving: Giving, describePart: DescribePart | undefined): Descriptor | undefined;
  attach(descriptor: Record<string, unknown>, taking: Taking, attachPart: AttachPart | undefined): Describable;
}

interface Parts {
  readonly locks: SharedClasses;
  readonly queues: SharedClasses;
  readonly pickle: PickleFormat;
  readonly python: {
    takePickled(args: PickledArguments, taking: Taking): unknown[];
  };
}

const require = createRequire(import.meta.url);
const loaded: { -readonly [Name in keyof Parts]?: Parts[Name] } = {};

/** Called by the module of a part. */
export function provide<Name extends keyof Parts>(name: Name, part: Parts[Name]): void {
  loaded[name] = part;
}

/** A part if it is there already: without it there can be no object of its classes. */
export function loadedPart<Name extends keyof Parts>(name: Name): Parts[Name] | undefined {
  return loaded[name];
}

/** A part, which is loaded if it must be. */
export function part<Name extends keyof Parts>(name: Name): Parts[Name] {
  if (loaded[name] === undefined) require(`../parts/${name}.js`);
  return loaded[name] as Parts[Name];
}

registerFormat('pickle', {
  serializer: (options) => part('pickle').serializer(options),
  // Without that part there can be no object of its class.
  includes: (serializer): serializer is PickleSerializer => loadedPart('pickle')?.includes(serializer) === true,
});
