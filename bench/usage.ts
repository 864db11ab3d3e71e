// SPDX-License-Identifier: MIT
//
// What a process and all its descendants have used, as the kernel counts it.
import { readdirSync, readFileSync } from 'node:fs';

export interface Usage {
  /** Nanoseconds on a processor, of all threads. */
  readonly cpuNs: number;
  /** Page faults, minor and major ones. */
  readonly faults: number;
}

/** The fields of /proc/<pid>/stat behind the name, which may have spaces; so the third field of the manual is at 0. */
const MINOR_FAULTS = 7;
const MAJOR_FAULTS = 9;

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // The process or thread has ended.
  }
}

function threadsOf(pid: number | 'self'): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((id) => `/proc/${pid}/task/${id}`);
  } catch {
    return [];
  }
}

/** The sum of this process and its descendants; undefined where the kernel does not tell. */
export function usageOfTree(pid: number | 'self' = 'self'): Usage | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === '') return undefined;
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  let cpuNs = 0;
  let faults = (fields[MINOR_FAULTS] ?? 0) + (fields[MAJOR_FAULTS] ?? 0);
  for (const thread of threadsOf(pid)) {
    cpuNs += Number(read(`${thread}/schedstat`).split(' ')[0]);
    for (const child of read(`${thread}/children`).split(' ').filter(Boolean)) {
      const of = usageOfTree(Number(child));
      cpuNs += of?.cpuNs ?? 0;
      faults += of?.faults ?? 0;
    }
  }
  return cpuNs === 0 ? undefined : { cpuNs, faults };
}
