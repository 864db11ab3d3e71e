// SPDX-License-Identifier: MIT
import { parseArgs } from 'node:util';

import { freshSeed } from '../../helpers/random.js';
import type { Kind } from './family.js';

/** What the command line says. */
export interface Options {
  readonly seed: number;
  readonly kills: number;
  readonly members: readonly Kind[];
  /** Whether locks, conditions, events and semaphores are tried, too. */
  readonly locks: boolean;
  /** Whether pipes are tried, too. */
  readonly pipes: boolean;
  /** Whether other systems are tried, too. */
  readonly rivals: boolean;
  /** How many members of each role. */
  readonly each: number;
  /** After how many minutes no further round begins, for each row of the table. */
  readonly minutes: number;
  /** How many blows a queue takes before the next one has its turn. */
  readonly perRound: number;
  /** Whether blows follow soon on each other, and producers rest while members start: this takes less CPU time. */
  readonly brisk: boolean;
  /** After how many milliseconds without progress a call counts as hanging. */
  readonly patienceMs: number;
  /** Whether only the usage is to be shown. */
  readonly help: boolean;
  /** Where the table is written; undefined for none. */
  readonly write: string | undefined;
}

export const USAGE = `npm run stress -- --chaos [options]
  --seed N         the seed of the schedule (default: a fresh one, which is printed)
  --kills N        how many blows (default 300)
  --members LIST   kinds of members: node,worker,python,c (default: all, in families of their own and mixed)
  --each N         producers and consumers of each family (default 3)
  --minutes N      ends each row of the table after so many minutes, if not before
  --per-round N    blows before the next queue has its turn (default 25)
  --brisk          short times between blows; the producers rest while members start
  --patience MS    the time without progress that counts as a hang (default 15000)
  --no-locks       no locks, conditions, events and semaphores
  --no-pipes       no pipes
  --rivals         CPython's Queue and a pool of process.send under the same blows, too
  --write FILE     writes the table of docs/reliability.md into the file
  --quick          30 blows
  --help           this text`;

const KINDS: readonly Kind[] = ['node', 'worker', 'python', 'c'];

export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      kills: { type: 'string' },
      members: { type: 'string' },
      each: { type: 'string', default: '3' },
      minutes: { type: 'string', default: 'Infinity' },
      'per-round': { type: 'string', default: '25' },
      brisk: { type: 'boolean', default: false },
      patience: { type: 'string', default: '15000' },
      'no-locks': { type: 'boolean', default: false },
      'no-pipes': { type: 'boolean', default: false },
      rivals: { type: 'boolean', default: false },
      write: { type: 'string' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const members = (values.members?.split(',') ?? KINDS) as Kind[];
  for (const kind of members) if (!KINDS.includes(kind)) throw new Error(`--members does not know ${kind}\n${USAGE}`);
  return {
    seed: Number(values.seed ?? freshSeed()),
    kills: Number(values.kills ?? (values.quick ? 30 : 300)),
    members,
    each: Number(values.each),
    minutes: Number(values.minutes),
    perRound: Number(values['per-round']),
    brisk: values.brisk,
    patienceMs: Number(values.patience),
    locks: !values['no-locks'],
    pipes: !values['no-pipes'],
    rivals: values.rivals,
    help: values.help,
    write: values.write,
  };
}
