// SPDX-License-Identifier: MIT
//
// What this process is: a program of its own, or a child that another process has started with this package. Worker threads
// of a process see the same as its main thread.
import { fileURLToPath } from 'node:url';

import { perEnvironment } from '../core/per-environment.js';
import { CHILD_PROGRAM } from '../native/child-program.js';
import { limitsFrom, type WaitOptions } from '../core/deadline.js';
import { native, READ } from '../native/addon.js';
import { checkTimeout } from '../core/validate.js';
import { descriptorSource, waitForSources, waitForSourcesSync } from '../connection/readiness.js';

/** What a child is told about itself. */
export interface Role {
  readonly name: string;
  /** Which child of which child it is. CPython: `_identity`. */
  readonly identity: readonly number[];
  readonly daemon: boolean;
  /** In base64. */
  readonly authkey: string;
  readonly parent: { readonly pid: number; readonly name: string };
  /** The descriptor whose other end the parent has; -1 in a process that has no such parent. */
  readonly channel: number;
}

const NAME_OF_MAIN = 'MainProcess';

/** What the role of a child is before its parent has told it. */
const UNTOLD = 'child';

/** @internal The program of a Node child. */
export const childProgram = fileURLToPath(new URL(`..${CHILD_PROGRAM}`, import.meta.url));

/**
 * Whether this process was not started by a `Process`. CPython: `parent_process() is None`.
 *
 * False in every thread and from the first line of the user's modules on, those that `--import` or `--require` preload
 * included.
 */
export const isMainProcess: boolean = isMain();

function isMain(): boolean {
  const role = native.processes.role('');
  if (role !== '') return role !== UNTOLD && (JSON.parse(role) as Role).channel < 0;
  if (!native.isMainThread || process.argv[1] !== childProgram) return true;
  native.processes.setRole(UNTOLD);
  return false;
}

function roleOfMain(): Role {
  // Loaded when it is needed, since it takes longer than most of this package.
  const { randomBytes } = process.getBuiltinModule('node:crypto');
  return {
    name: NAME_OF_MAIN,
    identity: [],
    daemon: false,
    authkey: randomBytes(32).toString('base64'),
    parent: { pid: process.ppid, name: '' },
    channel: -1,
  };
}

const state = perEnvironment('process/current', () => ({
  role: undefined as Role | undefined,
  /** How many children this thread has started. */
  started: 0,
}));

/** @internal */
export function currentRole(): Role {
  if (state.role !== undefined) return state.role;
  const text = native.processes.role('');
  // While a preloaded module runs, a child does not know who it is.
  if (text === UNTOLD) return roleOfMain();
  // The thread that comes first decides for all.
  const agreed = text === '' ? native.processes.role(JSON.stringify(roleOfMain())) : text;
  return (state.role = JSON.parse(agreed) as Role);
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
    const checked = limitsFrom(limits);
    return (await waitForSources(() => [descriptorSource(this.#channel)], checked, true)).includes(true);
  }

  /** As `join`, blocking. */
  joinSync(timeout?: number | null): boolean {
    return waitForSourcesSync([descriptorSource(this.#channel)], checkTimeout(timeout)).includes(true);
  }
}

let parent: ParentProcess | undefined;

/** The process that has started this one with this package, or null. CPython: `multiprocessing.parent_process()`. */
export function parentProcess(): ParentProcess | null {
  if (isMainProcess) return null;
  return (parent ??= new ParentProcess(currentRole()));
}
