// SPDX-License-Identifier: MIT
import { inspect } from 'node:util';

/** A step into a Map or a Set. Steps into objects and Arrays are strings and numbers. */
export interface Step {
  /** The method that the step is written with. */
  readonly into: 'get' | 'keys' | 'values';
  /** The key for `get`, else the position. */
  at: unknown;
}

/** Writes a path in a value, as an expression of JavaScript: `value.handlers[2]`. */
export function formatPath(steps: readonly unknown[]): string {
  let path = 'value';
  for (const step of steps) {
    if (typeof step === 'number') path += `[${step}]`;
    else if (typeof step === 'string')
      path += /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
    else if (typeof step === 'object' && step !== null) path += formatStep(step as Step);
  }
  return path;
}

function formatStep({ into, at }: Step): string {
  return into === 'get'
    ? `.get(${inspect(at, { depth: 0, breakLength: Infinity, customInspect: false, maxStringLength: 50 })})`
    : `.${into}()[${String(at)}]`;
}
