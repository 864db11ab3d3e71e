// SPDX-License-Identifier: MIT
import type { Job } from '../job.js';

/** The channel that the bytes travel through. Peers without a descriptor of the user's are `channel`. */
export type Kind = 'socketpair' | 'pipe' | 'channel';

interface Description {
  /** The name for `--only`: `family/variant`. */
  readonly id: string;
  readonly label: string;
  readonly kind: Kind;
  /** The settings of the peer in a few words. They are printed, so that a reader can judge whether they are fair. */
  readonly settings: string;
  /** The ids of the workloads for which the peer is made; all if left out. */
  readonly workloads?: readonly string[];
}

/** The parent's half of a running pair, driven by `driver.ts`. */
export interface Link {
  /** Sends the payload and waits for its echo, `count` times in a row. */
  roundTrips(count: number): void | Promise<void>;
  /** Sends the payload `count` times, then waits until the child has acknowledged the whole batch. */
  oneWay(count: number): void | Promise<void>;
  /** The last echo, to check it against the payload once the clock has stopped. */
  lastReply(): Uint8Array;
  close(): void;
}

/** A peer whose parent runs in Node.js. */
export interface NodeTrial extends Description {
  /** Why the peer cannot take part, if so. */
  readonly needs?: () => string | undefined;
  /** The program that runs both ends instead of this Node. */
  readonly node?: string | undefined;

  open(job: Job, payload: Buffer): Promise<Link>;
}

/** A peer that is a program of its own and measures itself in the same way. */
export interface ProgramTrial extends Description {
  /**
   * Called once per benchmark, before any timing.
   *
   * @returns Why the peer cannot take part on this machine, or nothing.
   */
  prepare(folder: string): string | undefined;
  command(folder: string): readonly [file: string, ...leading: string[]];
}

export type Trial = NodeTrial | ProgramTrial;

export function isProgramTrial(trial: Trial): trial is ProgramTrial {
  return 'command' in trial;
}
