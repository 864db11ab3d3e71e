// SPDX-License-Identifier: MIT
//
// Rounds with every kind of queue, limit and item length, for one system after the other.
import { spawnSync } from 'node:child_process';

import { pythons } from '../../helpers/pythons.js';
import { CpythonFamily } from './cpython-family.js';
import type { Family, Kind } from './family.js';
import { LockFamily, type LockKind } from './lock-family.js';
import type { Options } from './options.js';
import { OwnFamily, type QueueKind } from './own-family.js';
import { PipeFamily } from './pipe-family.js';
import { Round, type Cast } from './round.js';
import { schedule } from './schedule.js';
import { SendFamily } from './send-family.js';
import { Summary } from './summary.js';

/** One queue under test. */
interface Setup {
  readonly kind: QueueKind | LockKind | 'Pipe of sockets' | 'Pipe';
  readonly maxsize: number;
  readonly sizes: readonly number[];
}

/** A row of the table. */
export interface System {
  readonly name: string;
  readonly kinds: readonly Kind[];
  readonly setups: readonly Setup[];
  make(setup: Setup): Family;
}

const MIXED = [10, 4000, 100, 10_000, 1000, 60_000, 12, 300_000, 3_000_000];

const QUEUES: readonly Setup[] = [[10], [4000], [10_000], [60_000], [300_000], MIXED].flatMap((sizes) =>
  [0, 10].flatMap((maxsize) => (['Queue', 'JoinableQueue'] as const).map((kind) => ({ kind, maxsize, sizes }))),
);

/** A SimpleQueue has no limit of its own. */
const SIMPLE: readonly Setup[] = [[10], MIXED].map((sizes) => ({ kind: 'SimpleQueue', maxsize: 0, sizes }));

const LOCKS: readonly Setup[] = (['Lock', 'RLock', 'Condition', 'Event', 'Semaphore', 'BoundedSemaphore'] as const).map(
  (kind) => ({ kind, maxsize: 0, sizes: [] }),
);

const PIPES: readonly Setup[] = [[10], [4000], [60_000], [300_000], MIXED].flatMap((sizes) =>
  (['Pipe of sockets', 'Pipe'] as const).map((kind) => ({ kind, maxsize: 0, sizes })),
);

function own(name: string, kinds: readonly Kind[]): System {
  const python = kinds.includes('python') ? pythons().at(-1) : undefined;
  const make = ({ kind, maxsize }: Setup): Family =>
    new OwnFamily(kind as QueueKind, maxsize, python, kinds.includes('c'));
  return { name, kinds, setups: [...QUEUES, ...SIMPLE], make };
}

const OWN = 'node-multiprocessing';

const NAMES: Readonly<Record<Kind, string>> = {
  node: 'Node processes',
  worker: 'workers',
  python: 'Python processes',
  c: 'C programs',
};

/** The systems that the options ask for. */
export function systems({ members, rivals, locks, pipes }: Options): System[] {
  const present = hasCompiler() ? members : members.filter((kind) => kind !== 'c');
  const recorded = present.filter((kind) => kind !== 'c');
  const found = recorded.map((kind) => own(`${OWN}, ${NAMES[kind]}`, [kind]));
  if (recorded.length > 1) found.push(own(`${OWN}, all kinds of members with records`, recorded));
  if (present.includes('c')) {
    found.push(
      own(`${OWN}, ${NAMES.c}`, ['c']),
      own(`${OWN}, ${NAMES.c} and ${NAMES.node}, none killed`, ['c', 'node']),
    );
  }
  const kinds = present.filter((kind) => kind !== 'worker');
  if (pipes && kinds.length > 0) {
    const python = kinds.includes('python') ? pythons().at(-1) : undefined;
    const make = ({ kind }: Setup): Family => new PipeFamily(kind !== 'Pipe', python);
    found.push({ name: `${OWN}, pipes`, kinds, setups: PIPES, make });
  }
  if (locks) {
    const make = ({ kind }: Setup): Family => new LockFamily(kind as LockKind);
    found.push({ name: `${OWN}, locks, conditions, events and semaphores`, kinds: ['node'], setups: LOCKS, make });
  }
  if (rivals) {
    found.push(
      {
        name: "CPython's multiprocessing.Queue",
        kinds: ['python'],
        setups: QUEUES,
        make: ({ maxsize }) => new CpythonFamily(pythons().at(-1)!, maxsize),
      },
      {
        name: 'a pool of process.send',
        kinds: ['node'],
        setups: QUEUES,
        make: ({ maxsize }) => new SendFamily(maxsize),
      },
    );
  }
  return found;
}

function hasCompiler(): boolean {
  return spawnSync('cc', ['--version']).status === 0;
}

/** Runs as many blows as the options say, on one queue after the other. */
export async function campaign(system: System, options: Options, log: (text: string) => void): Promise<Summary> {
  const summary = new Summary(system.name);
  const cast: Cast[] = Array.from({ length: 2 * options.each }, (_, i) => ({
    role: i % 2 === 0 ? 'produce' : 'consume',
    // Neighbours differ, since they have the two ends of a pipe.
    kind: system.kinds[Math.ceil(i / 2) % system.kinds.length]!,
  }));
  const until = performance.now() + options.minutes * 60_000;
  for (let round = 0; summary.kills + summary.stops < options.kills && performance.now() < until; round++) {
    // Neighbours in the list differ in one thing; with this step all things change from round to round.
    const setup = system.setups[(round * 7 + options.seed) % system.setups.length]!;
    const left = options.kills - summary.kills - summary.stops;
    const blows = schedule(options.seed + round, cast.length, Math.min(options.perRound, left), options.brisk);
    const before = summary.violations.length;
    const result = await new Round(system.make(setup), cast, setup.sizes, options).run(blows);
    summary.add(result);
    if (summary.violations.length > before) {
      const { kind, maxsize, sizes } = setup;
      log(
        `round ${round} (seed ${options.seed + round}, ${kind}, maxsize ${maxsize}, items of ${sizes.join()} bytes):`,
      );
      log(`  ${JSON.stringify({ ...result, recoveries: result.recoveries.length })}`);
    }
  }
  log(summary.line);
  return summary;
}
