// SPDX-License-Identifier: MIT
//
// The locks and queues of a family: what each semaphore is for, and what it says at this moment. Nothing is changed: values are
// read, and nothing is acquired.
import { native } from '../native/addon.js';
import { purposeOf } from '../synchronize/labels.js';

/** A semaphore of an object. The keys are those of `list --json`. */
export interface Part {
  readonly name: string;
  /** What it is in its object: `reader lock`. */
  readonly part: string;
  /** Null where the system does not tell. */
  readonly value: number | null;
  /** How many threads sleep on it; null where the system does not tell. */
  readonly sleepers: number | null;
  /** The processes that hold it, as far as they keep records. */
  readonly holders: readonly number[];
}

/** What was put into a queue since it was made. */
export interface Items {
  readonly put: number;
  /** Those included that were dropped. */
  readonly got: number;
  readonly lost: number;
}

/** An object of several processes. The keys are those of `list --json`. */
export interface SharedObject {
  /** The name of its first semaphore. */
  readonly id: string;
  /** Its class. */
  readonly type: string;
  readonly parts: readonly Part[];
  /** Only of a queue whose members all count its items. */
  readonly items: Items | null;
}

/** A name in a register, with its label. */
export type Registered = readonly [name: string, label: string, exists: boolean];

function numberIn(name: string): number {
  return parseInt(name.slice(name.lastIndexOf('-') + 1), 36);
}

function known(value: number | undefined): number | null {
  return value === undefined || value < 0 ? null : value;
}

function itemsOf(folder: string, family: string, first: number): Items | null {
  const found = native.families.queue(folder, family, first);
  if (typeof found === 'number' || found[3] === 0) return null;
  const [put, got, lost] = found;
  return { put, got, lost };
}

/** The objects whose semaphores a register lists, in the order in which they were made. */
export function objectsOf(folder: string, family: string, names: readonly Registered[]): SharedObject[] {
  const holders = native.families.holders(folder, family);
  const held = typeof holders === 'number' ? [] : holders;
  const objects = new Map<string, { type: string; first: number; parts: Part[] }>();
  for (const [name, label, exists] of [...names].sort(([a], [b]) => numberIn(a) - numberIn(b))) {
    const number = numberIn(name);
    const purpose = exists ? purposeOf(label, number) : undefined;
    if (purpose === undefined) continue;
    const { object: type, part, first } = purpose;
    const id = `/mp-${family}-${first.toString(36)}`;
    const object = objects.get(id) ?? { type, first, parts: [] };
    const seen = native.families.semaphore(name);
    const [value, sleepers] = typeof seen === 'number' ? [] : seen;
    const pids = held.flatMap(([lock, pid]) => (lock === number ? [pid] : []));
    object.parts.push({ name, part, value: known(value), sleepers: known(sleepers), holders: pids });
    objects.set(id, object);
  }
  return [...objects].map(([id, { type, first, parts }]) => {
    const isQueue = parts.some(({ part }) => part === 'reader lock');
    return { id, type, parts, items: isQueue ? itemsOf(folder, family, first) : null };
  });
}
