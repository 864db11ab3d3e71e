// SPDX-License-Identifier: MIT
import type { Held, Served } from './served.js';

/** Something that a connection holds. */
export interface Entry {
  readonly held: Held;
  /** All that the connection holds. */
  readonly siblings: Set<Entry>;
  readonly reference: Reference;
  /** How many proxies had been given up when the connection got it. */
  readonly givenUp: number;
}

export function forget(entry: Entry): void {
  entry.siblings.delete(entry);
  entry.reference.held.delete(entry);
}

/** What clients hold of an object under one id. */
export class Reference {
  readonly id: string;
  readonly served: Served;
  /** How many proxies there are. */
  count = 0;
  /** How many were given up. */
  givenUp = 0;
  /** How many connections have used it. */
  users = 0;
  /** What connections hold that have called by this id, the oldest first. */
  readonly held = new Set<Entry>();

  constructor(id: string, served: Served) {
    this.id = id;
    this.served = served;
  }
}
