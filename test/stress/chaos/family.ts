// SPDX-License-Identifier: MIT
import type { ChildProcess } from 'node:child_process';

import type { Process, PythonProcess } from 'node-multiprocessing';

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
  /**
   * Whether members without records use what is under test. Then none of them is killed: a C program ends at SIGTERM
   * between two items, and the others are stopped only.
   */
  readonly isUnrecorded?: boolean;
  /**
   * The members of which the last items may be lost.
   *
   * @param killed The members that were killed. Default: these.
   */
  mayLose?(killed: ReadonlySet<number>): ReadonlySet<number>;
  /** The end begins: no member is replaced any more. */
  stop?(): void;
  /** Puts, behind all items, what makes as many consumers end. */
  endConsumers(count: number): Promise<void>;
  /**
   * What is wrong with the accounts after all members have ended, in sentences.
   *
   * @param terminated How many workers were terminated. The item that one of them had got stays unfinished.
   * @param killed The members that were killed.
   */
  audit(terminated: number, killed: ReadonlySet<number>): Promise<string[]>;
  /** How many items the system says are lost; undefined if it does not count them. */
  readonly lost: number | undefined;
  /** Gives up what this process holds. */
  close(): Promise<void>;
}

/** Starts a child of this package as a member. */
export function childMember(child: Process | PythonProcess): Member {
  child.start();
  const ended = child.join().then(
    () => child.exitcode === 0,
    () => false,
  );
  return { pid: child.pid!, ended };
}

/** A program that was spawned, as a member. */
export function programMember(child: ChildProcess): Member {
  const ended = new Promise<boolean>((resolve) => child.once('exit', (code) => resolve(code === 0)));
  return { pid: child.pid!, ended };
}
