// SPDX-License-Identifier: MIT
import type { Place } from './ledger.js';

export type Role = 'produce' | 'consume';
/** What a member is. Families of other systems have members of one kind. */
export type Kind = 'node' | 'worker' | 'python' | 'c';

/** A process of the family. */
export interface Member {
  readonly pid: number;
  /** Resolves when it has ended: whether it ended by itself, without a failure. */
  readonly ended: Promise<boolean>;
}

/** What is under test: a queue, or what stands for one, and how its members are started. */
export interface Family {
  start(role: Role, kind: Kind, place: Place): Promise<Member>;
  /** Puts, behind all items, what makes as many consumers end. */
  endConsumers(count: number): Promise<void>;
  /**
   * What is wrong with the accounts after all members have ended, in sentences.
   *
   * @param terminated How many workers were terminated. The item that one of them had got stays unfinished.
   */
  audit(terminated: number): Promise<string[]>;
  /** How many items the system says are lost; undefined if it does not count them. */
  readonly lost: number | undefined;
  /** Gives up what this process holds. */
  close(): Promise<void>;
}
