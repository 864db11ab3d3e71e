// SPDX-License-Identifier: MIT
//
// The serialiser of Node. It is loaded when it is first needed: loading takes a large part of what a child takes to
// load the package, and most messages are encoded and decoded without it.
import type * as V8 from 'node:v8';

/** The module. */
export function nodeV8(): typeof V8 {
  return process.getBuiltinModule('node:v8');
}

/** Why V8 refuses a value; undefined if it does not. */
export function refusalOf(value: unknown): unknown {
  try {
    nodeV8().serialize(value);
    return undefined;
  } catch (error) {
    return error;
  }
}
