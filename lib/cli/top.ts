// SPDX-License-Identifier: MIT
//
// What the processes of this user do with this package, as differences of two looks.
import { listFamilies } from './families.js';
import type { Part, SharedObject } from './objects.js';
import { runningProcesses, type Running } from './processes.js';

/** A process. The keys of all of these are those of `top --json`. */
export interface ProcessLine {
  readonly pid: number;
  readonly parent: number;
  readonly name: string | null;
  readonly program: string;
  /** Null for a process that shares no locks and no queues. */
  readonly family: string | null;
  /** In percent of one processor. */
  readonly cpu: number;
  /** The resident memory, in bytes. */
  readonly memory: number;
}

/** A queue. Rates are items a second. */
export interface QueueLine {
  readonly id: string;
  readonly type: string;
  /** Null if a member does not count its items. */
  readonly depth: number | null;
  readonly putRate: number | null;
  readonly gotRate: number | null;
  readonly lost: number | null;
  /** How many threads sleep until they may read, or until there is a place; null where the system does not tell. */
  readonly readers: number | null;
  readonly writers: number | null;
}

/** A lock, a semaphore, a condition, an event or a barrier. */
export interface LockLine {
  readonly id: string;
  readonly type: string;
  /** The value of its semaphore; of an event, 1 if it is set. */
  readonly value: number | null;
  readonly holders: readonly number[];
  readonly waiters: number | null;
}

/** The workers of a pool. */
export interface PoolLine {
  readonly name: string;
  /** The process that has made it. */
  readonly parent: number;
  readonly workers: number;
  /** Workers that used a processor. */
  readonly busy: number;
  readonly cpu: number;
  readonly memory: number;
}

/** What there is at a moment. */
export interface Sample {
  readonly families: number;
  readonly processes: readonly ProcessLine[];
  readonly pools: readonly PoolLine[];
  readonly queues: readonly QueueLine[];
  readonly locks: readonly LockLine[];
}

interface Look {
  readonly at: number;
  readonly families: number;
  readonly objects: readonly SharedObject[];
  readonly familyOf: ReadonlyMap<number, string>;
  readonly processes: readonly Running[];
}

function look(): Look {
  const { families } = listFamilies();
  const members = families.flatMap(({ family, members: found }) =>
    (found ?? []).map(({ pid }) => [pid, family] as const),
  );
  const familyOf = new Map(members);
  return {
    at: performance.now(),
    families: families.length,
    objects: families.flatMap(({ objects }) => objects),
    familyOf,
    processes: runningProcesses([...familyOf.keys()]),
  };
}

/** From this share of a processor on, in percent, a worker counts as busy. */
const BUSY = 1;

function part({ parts }: SharedObject, name: string): Part | undefined {
  return parts.find((one) => one.part === name);
}

/** A sum in which an unknown number makes the result unknown. */
function sum(numbers: readonly (number | null | undefined)[]): number | null {
  return numbers.reduce<number | null>((total, n) => (total === null || n === null ? null : total + (n ?? 0)), 0);
}

/** How many slots a queue without a limit has: SEM_VALUE_MAX of Linux. */
const UNLIMITED = 2 ** 31 - 1;

/** The items of a queue whose members do not all count them: by its slots, of which only those without a limit are known. */
function depthBySlots(free: number | null | undefined): number | null {
  return free === null || free === undefined || free < UNLIMITED / 2 ? null : UNLIMITED - free;
}

function queueLine(object: SharedObject, before: SharedObject | undefined, ms: number): QueueLine {
  const { id, type, items } = object;
  const rate = (key: 'put' | 'got'): number | null =>
    items === null || !before?.items ? null : ((items[key] - before.items[key]) * 1000) / ms;
  const sleepers = (name: string): number | null | undefined => part(object, name)?.sleepers;
  return {
    id,
    type,
    depth: items === null ? depthBySlots(part(object, 'free slots')?.value) : items.put - items.got,
    putRate: rate('put'),
    gotRate: rate('got'),
    lost: items?.lost ?? null,
    readers: sum([sleepers('reader lock')]),
    writers: sum([sleepers('writer lock'), sleepers('free slots')]),
  };
}

function lockLine({ id, type, parts }: SharedObject): LockLine {
  const [first] = parts;
  const told = parts.find(({ part: name }) => name === 'flag') ?? first;
  const waiting = parts.find(({ part: name }) => name === 'waiting');
  return {
    id,
    type,
    value: told?.value ?? null,
    holders: [...new Set(parts.flatMap(({ holders }) => holders))],
    waiters: sum(waiting === undefined ? [first?.sleepers] : [waiting.sleepers]),
  };
}

function poolLines(processes: readonly Running[], lines: readonly ProcessLine[]): PoolLine[] {
  const pools = new Map<string, ProcessLine[]>();
  const workers = lines.filter((_, i) => processes[i]?.isWorker);
  for (const line of workers) {
    // The names of workers end with their numbers.
    const key = `${line.parent} ${line.name?.replace(/-\d+$/, '') ?? ''}`;
    pools.set(key, [...(pools.get(key) ?? []), line]);
  }
  return [...pools].map(([key, all]) => ({
    name: key.slice(key.indexOf(' ') + 1),
    parent: Number(key.slice(0, key.indexOf(' '))),
    workers: all.length,
    busy: all.filter(({ cpu }) => cpu >= BUSY).length,
    cpu: all.reduce((total, { cpu }) => total + cpu, 0),
    memory: all.reduce((total, { memory }) => total + memory, 0),
  }));
}

function compare(before: Look, now: Look): Sample {
  const ms = Math.max(now.at - before.at, 1);
  const earlier = new Map(before.processes.map((one) => [one.pid, one]));
  const processes = now.processes.map(({ pid, parent, name, program, cpuMs, memory }): ProcessLine => {
    const used = cpuMs - (earlier.get(pid)?.cpuMs ?? cpuMs);
    return { pid, parent, name, program, family: now.familyOf.get(pid) ?? null, cpu: (used * 100) / ms, memory };
  });
  const [queues, locks] = [true, false].map((wanted) =>
    now.objects.filter((object) => (part(object, 'reader lock') !== undefined) === wanted),
  ) as [SharedObject[], SharedObject[]];
  return {
    families: now.families,
    processes,
    pools: poolLines(now.processes, processes),
    queues: queues.map((one) =>
      queueLine(
        one,
        before.objects.find(({ id }) => id === one.id),
        ms,
      ),
    ),
    locks: locks.map(lockLine),
  };
}

/** Looks again and again, and yields what has changed in between. */
export async function* samples(intervalMs: number): AsyncGenerator<Sample, never> {
  for (let before = look(); ;) {
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
    const now = look();
    yield compare(before, now);
    before = now;
  }
}
