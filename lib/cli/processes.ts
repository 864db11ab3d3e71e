// SPDX-License-Identifier: MIT
//
// Which programs the processes of this user run, from /proc. Elsewhere nothing is known of them.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';

/** A process. The keys are those of `list --json` and `top --json`. */
export interface Program {
  readonly pid: number;
  /** Its program and what that runs: `node server.mjs`. Empty where the system does not tell. */
  readonly program: string;
  /** Its name, if it is a child that this package has started. */
  readonly name: string | null;
}

/** A process at a moment. */
export interface Running extends Program {
  readonly parent: number;
  /** Whether it is a worker of a pool. */
  readonly isWorker: boolean;
  /** The processor time that it has used, in milliseconds. */
  readonly cpuMs: number;
  /** Its resident memory, in bytes. */
  readonly memory: number;
}

/** The arguments of a child that this package has started end with a label (lib/process/base-process.ts). */
const LABEL = /^(process|worker)=(.*)$/s;

/** The length of a tick of /proc, in milliseconds: the kernel's interface has 100 a second. */
const TICK_MS = 10;
const PAGE_BYTES = 4096;

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // The process has ended, or the system has no such file.
    return undefined;
  }
}

function labelOf(args: readonly string[]): RegExpExecArray | null {
  const isChild = args.some((arg) => arg === '--multiprocessing-fork' || arg.endsWith('/child-main.js'));
  return isChild ? LABEL.exec(args.at(-1) ?? '') : null;
}

/** What a command line runs, without the folders and the options. */
function shortForm([command = '', ...args]: readonly string[]): string {
  const script = args.find((arg) => !arg.startsWith('-'));
  const inline = args.find((arg) => /^(-[cepm]|--eval|--print)$/.test(arg));
  return [command, inline ?? script]
    .map((part) => basename(part ?? ''))
    .join(' ')
    .trim();
}

/** The program of a process. */
export function programOf(pid: number): Program {
  const args = read(`/proc/${pid}/cmdline`)?.split('\0').slice(0, -1) ?? [];
  const [, , name] = labelOf(args) ?? [];
  return { pid, program: name === undefined ? shortForm(args) : basename(args[0] ?? ''), name: name ?? null };
}

/** A process in words: its name and its program. */
export function nameOf({ name, program }: Program): string {
  return name === null ? program : `${name} (${program})`;
}

/** What a process uses; undefined if it has ended. */
function running(pid: number): Running | undefined {
  // The name of the program is in parentheses and may have any character.
  const fields = read(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, '')
    .split(' ');
  const args = read(`/proc/${pid}/cmdline`)?.split('\0').slice(0, -1);
  if (fields === undefined || args === undefined) return undefined;
  const number = (index: number): number => Number(fields[index]);
  const isWorker = labelOf(args)?.[1] === 'worker';
  // The fields 4 (parent), 14 and 15 (time), 24 (memory) of proc(5), which counts the two that are cut off.
  const [parent, cpuMs, memory] = [number(1), (number(11) + number(12)) * TICK_MS, number(21) * PAGE_BYTES];
  return { ...programOf(pid), parent, isWorker, cpuMs, memory };
}

/** The processes of this user. */
export function allProcesses(): Running[] {
  const own = process.getuid?.();
  return readdirSync('/proc').flatMap((entry) => {
    try {
      if (!/^\d+$/.test(entry) || statSync(`/proc/${entry}`).uid !== own) return [];
    } catch {
      return [];
    }
    return running(Number(entry)) ?? [];
  });
}

/** The children that this package has started, their parents, and the processes with these numbers. */
export function runningProcesses(members: readonly number[]): Running[] {
  const found = new Map(allProcesses().map((one) => [one.pid, one]));
  const children = [...found.values()].filter(({ name }) => name !== null);
  const shown = new Set([...members, ...children.flatMap(({ pid, parent }) => [pid, parent])]);
  return [...shown].flatMap((pid) => found.get(pid) ?? []).sort((a, b) => a.pid - b.pid);
}
