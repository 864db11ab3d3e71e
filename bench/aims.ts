// SPDX-License-Identifier: MIT
//
// What the project promises about connections, as ratios of times in one run.
import { workloads } from './workloads.js';

/** The time of `ours` is at most `limit` times that of the fastest of `theirs`. */
export interface Aim {
  readonly claim: string;
  readonly workload: string;
  readonly ours: string;
  /** The ids of peers, or their beginnings. */
  readonly theirs: readonly string[];
  readonly limit: number;
  /** Whether the processor time of both ends is meant. */
  readonly cpu?: boolean;
}

const kinds = ['socketpair', 'pipe'] as const;
const otherProcess = ['process.send', 'net.Socket', 'zeromq'];
const anyNode = [...otherProcess, 'MessagePort'];

const title = (id: string): string => workloads.find((workload) => workload.id === id)?.title ?? id;

function aim(workload: string, ours: string, how: string, theirs: readonly string[], name: string, limit: number): Aim {
  const [, kind] = ours.split('/');
  const allowed = limit < 1 ? limit.toFixed(2) : String(limit);
  return { claim: `${title(workload)}, ${how}, ${kind}: at most ${allowed} x ${name}`, workload, ours, theirs, limit };
}

const roundTrips = kinds.flatMap((kind) => {
  const ofSync = kind === 'pipe' ? 0.2 : 0.3;
  return [
    aim('round-trip-64', `sync/${kind}`, 'sync, not spinning', [`c/${kind}`], 'C', 1.2),
    aim('round-trip-64', `spin/${kind}`, 'sync', anyNode, 'the best of Node', ofSync),
    aim('round-trip-64', `async-spin/${kind}`, 'async', otherProcess, 'the best of Node between processes', 0.5),
    ...['round-trip-64k', 'round-trip-1m'].flatMap((workload) => {
      const largeC = [`c-large/${kind}`];
      return [
        aim(workload, `spin/${kind}`, 'sync', [`c/${kind}`], 'C', 1.3),
        aim(workload, `into/${kind}`, 'async, into a Buffer', largeC, 'C', workload === 'round-trip-64k' ? 1.5 : 1.3),
        aim(workload, `async-spin/${kind}`, 'async, new Buffers', largeC, 'C', 2.5),
        aim(workload, `into/${kind}`, 'async, into a Buffer', otherProcess, 'the best of Node between processes', 1),
        aim(
          workload,
          `async-spin/${kind}`,
          'async, new Buffers',
          otherProcess,
          'the best of Node between processes',
          1,
        ),
      ];
    }),
  ];
});

const oneWay = kinds.flatMap((kind) => [
  aim('one-way-64', `accepted/${kind}`, "'accepted' to copies", ['net.Socket'], 'net.Socket', 1 / 1.3),
  aim('one-way-64', `batches/${kind}`, 'batches of views', ['net.Socket'], 'net.Socket', 1 / 2.5),
  aim('one-way-64', `batches/${kind}`, 'batches of views', [`c/${kind}`], 'C', 1 / 10),
  aim('one-way-1m', `into/${kind}`, 'async, into a Buffer', [`c-large/${kind}`], 'C', 1 / 0.8),
  aim('one-way-1m', `async-spin/${kind}`, 'async, new Buffers', [`c-large/${kind}`], 'C', 1 / 0.8),
  {
    ...aim('one-way-64', `batches/${kind}`, 'batches of views, processor time', ['net.Socket'], 'net.Socket', 0.5),
    cpu: true,
  },
]);

export const aims: readonly Aim[] = [...roundTrips, ...oneWay];
