// SPDX-License-Identifier: MIT
//
// The role of this process: a main process, or a child that another process has started with this package. Worker
// threads of a process see the same role as its main thread.
import { perEnvironment } from '../core/per-environment.js';
import { isBegunByImport } from '../core/import-context.js';
import { runsChildProgram } from '../native/child-program.js';
import { limitsFrom, type WaitOptions } from '../core/deadline.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { native, READ } from '../native/addon.js';
import { checkTimeout } from '../core/validate.js';
import { descriptorSource, waitForSources, waitForSourcesSync } from '../connection/wait-sources.js';
import { markAsOwn } from '../reduction/shareable.js';

/** The role of a process. A child receives its role from its parent. */
export interface Role {
  readonly name: string;
  /**
   * The identity of the parent, followed by the child's number among the children of that parent. CPython: `_identity`.
   */
  readonly identity: readonly number[];
  readonly daemon: boolean;
  /** The secret of the tree of processes, in base64. */
  readonly authkey: string;
  readonly parent: { readonly pid: number; readonly name: string };
  /** The descriptor of the bootstrap channel, whose other end the parent holds; -1 in a main process. */
  readonly channel: number;
}

const NAME_OF_MAIN = 'MainProcess';

/** The role of a child that has not received its role yet. */
const UNTOLD = 'child';

/** The name under which the environment data of a thread say that an import has made it, or the thread that made it. */
const MADE_BY_IMPORT = 'node-multiprocessing/made-by-import';

/** What the text of a child says beside its role. */
interface Imports {
  /** Whether this process is importing a module of the user. */
  readonly importing?: boolean;
  /** The numbers of the worker threads that such an import has made. */
  readonly workers?: readonly number[];
}

/**
 * The role of this process as text: JSON, or UNTOLD; empty in a main process that has not asked for its role yet.
 *
 * All threads share the text that the addon has. But a program may have several copies of the package, with an addon each
 * (a library that was installed with its own), and only one copy is told what this process is. It tells the others.
 */
function roleText(): string {
  const own = native.processes.role('');
  if (own.startsWith('{')) return own;
  const others = native.processes.rolesOfOtherCopies();
  return others.find((text) => text.startsWith('{')) ?? (own || (others[0] ?? ''));
}

/**
 * Whether this process was not started by a `Process`. CPython: `parent_process() is None`.
 *
 * In a child it is false in every thread and from the first line of user code on, including modules that `--import` or
 * `--require` preload, and whichever copy of the package has started the child.
 */
export const isMainProcess: boolean = isMain();

function isMain(): boolean {
  const role = roleText();
  if (role !== '') return role !== UNTOLD && (JSON.parse(role) as Role).channel < 0;
  if (!native.isMainThread || !runsChildProgram) return true;
  native.processes.setRole(UNTOLD);
  return false;
}

function roleOfMain(): Role {
  // Loaded on first use, since it takes longer to load than most of this package.
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
  /** Of a child: whether it is importing a module of the user, and the numbers of the threads that such imports have made. */
  importing: false,
  workers: [] as number[],
}));

/** @internal */
export function currentRole(): Role {
  if (state.role !== undefined) return state.role;
  const text = roleText();
  // While preloaded modules run, a child has not received its role yet.
  if (text === UNTOLD) return roleOfMain();
  // The first thread that gets here decides for all threads.
  const agreed = text === '' ? native.processes.role(JSON.stringify(roleOfMain())) : text;
  return (state.role = JSON.parse(agreed) as Role);
}

function setRole(): void {
  const { importing, workers } = state;
  native.processes.setRole(JSON.stringify({ ...currentRole(), importing, workers } satisfies Imports));
}

/** @internal Sets the role of a child. Called once, before the module of its function is imported. */
export function becomeChild(role: Role): void {
  state.role = role;
  beginImport();
}

/** Node calls this in the turn in which a worker thread was made, after the code that made it. */
function noteWorker({ threadId }: { readonly threadId: number }): void {
  state.workers.push(threadId);
  setRole();
}

/** @internal Called before a child imports a module of the user once more. */
export function beginImport(): void {
  state.importing = true;
  setRole();
  process.on('worker', noteWorker);
}

/** @internal Called when a child has imported the module of its function, and calls the function. */
export function beginFunction(): void {
  state.importing = false;
  setRole();
  // Node has yet to tell of the last workers of the import. It tells of those of the function later.
  process.nextTick(() => process.off('worker', noteWorker));
}

/** Whether this is a worker thread that an import has made, or that such a thread has made. */
function isThreadOfImport({ workers = [] }: Imports): boolean {
  if (native.isMainThread) return false;
  // In a worker the module is loaded; in the main thread of a child it would be a part of what its start takes.
  const { threadId, getEnvironmentData, setEnvironmentData } = process.getBuiltinModule('node:worker_threads');
  if (!workers.includes(threadId) && getEnvironmentData(MADE_BY_IMPORT) !== true) return false;
  setEnvironmentData(MADE_BY_IMPORT, true);
  return true;
}

/**
 * @internal Whether this process is a child that has not yet imported the module of its function, or the caller is code that
 * this import has begun, in a thread of its own perhaps.
 */
export function isBeingImported(): boolean {
  if (isMainProcess) return false;
  if (isBegunByImport()) return true;
  const text = roleText();
  if (text === UNTOLD) return true;
  const imports = JSON.parse(text) as Imports;
  return isThreadOfImport(imports) || imports.importing === true;
}

// The threads that this one makes must know it, whether or not this one asks.
if (!native.isMainThread) isBeingImported();

/** @internal The identity of the next child that this thread starts. */
export function nextIdentity(): number[] {
  return [...currentRole().identity, ++state.started];
}

/** The current process. CPython: the object that `current_process()` returns. */
export class CurrentProcess {
  constructor() {
    markAsOwn(this);
  }

  /** Its name: `MainProcess`, or the name that its parent gave it. */
  get name(): string {
    return currentRole().name;
  }

  /** The process id. */
  get pid(): number {
    return process.pid;
  }

  /** Whether this process ends when its parent ends. */
  get daemon(): boolean {
    return currentRole().daemon;
  }

  /** The secret that a main process shares with all its descendants: 32 random bytes. CPython: `authkey`. */
  get authkey(): Buffer {
    return Buffer.from(currentRole().authkey, 'base64');
  }
}

const current = new CurrentProcess();

/** Returns the object of this process. CPython: `multiprocessing.current_process()`. */
export function currentProcess(): CurrentProcess {
  return current;
}

/** The process that started this one. CPython: the object that `parent_process()` returns. */
export class ParentProcess {
  readonly #channel: number;
  /** The process id. */
  readonly pid: number;
  /** The name of the parent. */
  readonly name: string;

  /** @internal */
  constructor({ parent, channel }: Role) {
    markAsOwn(this);
    this.pid = parent.pid;
    this.name = parent.name;
    this.#channel = channel;
  }

  /** A descriptor that becomes readable when the parent has ended, for use with `wait`. CPython: `sentinel`. */
  get sentinel(): number {
    return this.#channel;
  }

  /** Whether the parent still runs. CPython: `is_alive()`. */
  isAlive(): boolean {
    return native.poll(Int32Array.of(this.#channel, READ, 0), 0) === 0;
  }

  /**
   * Waits until the parent has ended. CPython: `join(timeout)`.
   *
   * Resolves to true when it has ended, and to false when the time is up. Rejects with an AbortError.
   *
   * @param limits A timeout in milliseconds, or options. Omitted or null: no limit.
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

/** The process that started this one with this package, or null. CPython: `multiprocessing.parent_process()`. */
export function parentProcess(): ParentProcess | null {
  if (isMainProcess) return null;
  return (parent ??= new ParentProcess(currentRole()));
}

makeFair(ParentProcess.prototype);
