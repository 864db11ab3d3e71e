// SPDX-License-Identifier: MIT
//
// What this process is: a program of its own, or a child that another process has started with this package. Its main
// thread is told by the bootstrap (child-main.ts); worker threads of the same process see the same.
import { randomBytes } from 'node:crypto';

import type { BaseProcess } from './base-process.js';
import { checkLimits, type Limits, type WaitOptions } from './deadline.js';
import { native, READ } from './native.js';
import { checkTimeout } from './validate.js';
import { waitForConnections, waitForConnectionsSync } from './wait.js';

/** What a child is told about itself. */
export interface Role {
  readonly name: string;
  /** Which child of which child it is. CPython: `_identity`. */
  readonly identity: readonly number[];
  readonly daemon: boolean;
  /** In base64. */
  readonly authkey: string;
  readonly parent: { readonly pid: number; readonly name: string };
  /** The descriptor whose other end the parent has. */
  readonly channel: number;
}

const NAME_OF_MAIN = 'MainProcess';

/** Whether this process was not started by a `Process`. CPython: `parent_process() is None`. */
export const isMainProcess: boolean = native.processes.role() === '';

function roleOfMain(): Role {
  const role: Role = {
    name: NAME_OF_MAIN,
    identity: [],
    daemon: false,
    authkey: randomBytes(32).toString('base64'),
    parent: { pid: process.ppid, name: '' },
    channel: -1,
  };
  return role;
}

/** What exists once per environment, as in reactor.ts. */
const holder = native.processes as { state?: { role?: Role; children: Set<BaseProcess>; started: number } };
const state = (holder.state ??= { children: new Set(), started: 0 });

/** @internal */
export function currentRole(): Role {
  if (state.role !== undefined) return state.role;
  const text = native.processes.role();
  state.role = text === '' || !text.startsWith('{') ? roleOfMain() : (JSON.parse(text) as Role);
  return state.role;
}

/** @internal Called once, before anything of the user's runs. */
export function becomeChild(role: Role): void {
  state.role = role;
  native.processes.setRole(JSON.stringify(role));
}

/** @internal The identity of the next child that this thread starts. */
export function nextIdentity(): number[] {
  return [...currentRole().identity, ++state.started];
}

/** @internal Children that were started here and not found to have ended. */
export const { children } = state;

/** This process, as its children and parent know it. CPython: what `current_process()` returns. */
export class CurrentProcess {
  /** Its name: `MainProcess`, or what its parent has called it. */
  get name(): string {
    return currentRole().name;
  }

  /** Its number. */
  get pid(): number {
    return process.pid;
  }

  /** Whether it ends when its parent ends. */
  get daemon(): boolean {
    return currentRole().daemon;
  }

  /** The secret that it shares with its children, 32 random bytes of the main process. CPython: `authkey`. */
  get authkey(): Buffer {
    return Buffer.from(currentRole().authkey, 'base64');
  }
}

const current = new CurrentProcess();

/** This process. CPython: `multiprocessing.current_process()`. */
export function currentProcess(): CurrentProcess {
  return current;
}

/** The process that has started this one. CPython: what `parent_process()` returns. */
export class ParentProcess {
  readonly #channel: number;
  /** Its number. */
  readonly pid: number;
  /** Its name. */
  readonly name: string;

  /** @internal */
  constructor({ parent, channel }: Role) {
    this.pid = parent.pid;
    this.name = parent.name;
    this.#channel = channel;
  }

  /** A descriptor that is ready, for `wait`, when the parent has ended. CPython: `sentinel`. */
  get sentinel(): number {
    return this.#channel;
  }

  /** Whether it still runs. CPython: `is_alive()`. */
  isAlive(): boolean {
    return native.poll(Int32Array.of(this.#channel, READ, 0), 0) === 0;
  }

  /**
   * Waits until it has ended. CPython: `join(timeout)`.
   *
   * Resolves to false when the time is up. Rejects with an AbortError.
   */
  async join(limits?: number | null | WaitOptions): Promise<boolean> {
    const checked = joinLimits(limits);
    return (await waitForConnections([this.#channel], checked)).length > 0;
  }

  /** As `join`, blocking. */
  joinSync(timeout?: number | null): boolean {
    return waitForConnectionsSync([this.#channel], checkTimeout(timeout)).length > 0;
  }
}

/** @internal A timeout in milliseconds, or options. */
export function joinLimits(limits: number | null | WaitOptions | undefined): Limits {
  return checkLimits(typeof limits === 'object' && limits !== null ? limits : { timeout: limits });
}

let parent: ParentProcess | undefined;

/** The process that has started this one with this package, or null. CPython: `multiprocessing.parent_process()`. */
export function parentProcess(): ParentProcess | null {
  if (isMainProcess) return null;
  return (parent ??= new ParentProcess(currentRole()));
}

/** The children of this thread that are running. CPython: `multiprocessing.active_children()`. */
export function activeChildren(): BaseProcess[] {
  for (const child of children) {
    if (!child.isAlive()) children.delete(child);
  }
  return [...children];
}
