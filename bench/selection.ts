// SPDX-License-Identifier: MIT
import type { Options } from './options.js';
import { probeIds, type ProbeId } from './probes/index.js';
import { trials } from './trials/index.js';
import type { Trial } from './trials/trial.js';
import { workloads, type Workload } from './workloads.js';

export interface Selection {
  readonly trials: readonly Trial[];
  readonly workloads: readonly Workload[];
  readonly probes: readonly ProbeId[];
}

/**
 * Applies `--only`. Names of peers keep all workloads, and names of workloads keep all peers. A probe runs if it is
 * named, or if nothing is.
 */
export function select({ only, syscalls }: Options): Selection {
  const named = (id: string): boolean => only.some((prefix) => id.toLowerCase().startsWith(prefix.toLowerCase()));
  const namedTrials = trials.filter(({ id }) => named(id));
  const namedWorkloads = workloads.filter(({ id }) => named(id));
  const namedProbes = probeIds.filter(named);
  const known = [...trials, ...workloads].map(({ id }) => id).concat(probeIds);
  for (const prefix of only) {
    if (!known.some((id) => id.toLowerCase().startsWith(prefix.toLowerCase()))) {
      throw new RangeError(`--only ${prefix} matches none of: ${known.join(', ')}`);
    }
  }
  const suiteWanted = only.length === 0 || namedTrials.length > 0 || namedWorkloads.length > 0;
  const probes = probeIds.filter((id) =>
    id === 'syscalls' ? syscalls || namedProbes.includes(id) : only.length === 0 || namedProbes.includes(id),
  );
  if (!suiteWanted) return { trials: [], workloads: [], probes };
  return {
    trials: namedTrials.length > 0 ? namedTrials : trials,
    workloads: namedWorkloads.length > 0 ? namedWorkloads : workloads,
    probes,
  };
}
