// SPDX-License-Identifier: MIT

/** A step of a path: a key, or the text of the step. */
export type Step = string | number | (() => string);

/** A key as it is written in a path, behind its object: `.key`, `[0]` or `["other key"]`. */
function member(key: string): string {
  if (/^\d+$/.test(key)) return `[${key}]`;
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/**
 * The path to a part of a value.
 *
 * @param steps From the part back to the value.
 */
export function pathOf(name: string, steps: readonly Step[]): string {
  const texts = steps.map((step) => (typeof step === 'function' ? step() : member(String(step))));
  return name + texts.reverse().join('');
}
