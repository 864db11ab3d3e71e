// SPDX-License-Identifier: MIT
//
// What the register of a family notes about a semaphore, for `list` and `top`: the class of the object that it is a part
// of, its place in the object, and the number of the object's first semaphore. Programs do not read it.

const CONDITION = ['lock', 'sleeping', 'woken', 'waiting'];
const QUEUE = ['reader lock', 'writer lock', 'free slots'];

/** The classes by their letters, with the parts of each in the order in which they are made. */
const CLASSES: Readonly<Record<string, readonly [typeName: string, parts: readonly string[]]>> = {
  l: ['Lock', ['lock']],
  r: ['RLock', ['lock']],
  s: ['Semaphore', ['value']],
  b: ['BoundedSemaphore', ['value']],
  c: ['Condition', CONDITION],
  e: ['Event', [...CONDITION, 'flag']],
  q: ['Queue', QUEUE],
  j: ['JoinableQueue', [...QUEUE, ...CONDITION, 'unfinished']],
  p: ['SimpleQueue', QUEUE],
  a: ['Barrier', CONDITION],
};

const LETTERS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(CLASSES).map(([letter, [typeName]]) => [typeName, letter]),
);

/** An object whose semaphores are being made. */
interface Composite {
  readonly letter: string;
  part: number;
  /** The number of its first semaphore; empty before that is made. */
  first: string;
}

let composite: Composite | undefined;

/**
 * Makes an object of several semaphores. An object inside of another one counts as a part of that.
 *
 * @param part The place of the first one that is made.
 */
export function labelled<T>(typeName: string, make: () => T, part = 0): T {
  if (composite !== undefined) return make();
  composite = { letter: LETTERS[typeName] ?? '', part, first: '' };
  try {
    return make();
  } finally {
    composite = undefined;
  }
}

/** The label of the next semaphore. */
export function nextLabel(typeName: string): string {
  if (composite === undefined) return `${LETTERS[typeName] ?? ''}0`;
  return `${composite.letter}${composite.part}${composite.first}`;
}

/** To be called when that semaphore was made. */
export function noteMade(numberOf: () => number): void {
  if (composite === undefined) return;
  if (composite.first === '') composite.first = numberOf().toString(36);
  composite.part++;
}

/** What a semaphore is for. */
export interface Purpose {
  /** The class of its object. */
  readonly object: string;
  /** What it is in the object. */
  readonly part: string;
  /** The number of the object's first semaphore. */
  readonly first: number;
}

/** Reads a label; undefined for an unknown one. */
export function purposeOf(label: string, number: number): Purpose | undefined {
  const [object, parts] = CLASSES[label.charAt(0)] ?? [];
  const part = parts?.[Number(label.charAt(1))];
  if (object === undefined || part === undefined) return undefined;
  return { object, part, first: label.length > 2 ? parseInt(label.slice(2), 36) : number };
}
