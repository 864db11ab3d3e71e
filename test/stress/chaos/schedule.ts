// SPDX-License-Identifier: MIT
import { Random } from '../../helpers/random.js';

/** One blow against a member of the family. */
export interface Blow {
  /** How long after the blow before it, in milliseconds. */
  readonly after: number;
  /** The member's place in the family. */
  readonly slot: number;
  readonly signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP';
  /** After SIGSTOP: when the member goes on, in milliseconds. */
  readonly pause: number;
  /** Whether the worker of a process alone is terminated, if the member has one. */
  readonly workerOnly: boolean;
}

/** The shortest and the longest time between two blows, in milliseconds. */
const USUAL = [20, 100] as const;
const BRISK = [1, 20] as const;

/** The blows that follow from a seed: which members, how, and at which intervals. */
export function* schedule(seed: number, slots: number, kills: number, brisk = false): Generator<Blow> {
  const [shortest, longest] = brisk ? BRISK : USUAL;
  const random = new Random(seed);
  for (let kill = 0; kill < kills; kill++) {
    const way = random.below(100);
    yield {
      after: shortest + random.below(longest - shortest + 1),
      slot: random.below(slots),
      signal: way < 70 ? 'SIGKILL' : way < 90 ? 'SIGSTOP' : 'SIGTERM',
      pause: 1 + random.below(100),
      workerOnly: random.below(2) === 0,
    };
  }
}
