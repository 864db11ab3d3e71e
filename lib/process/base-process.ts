// SPDX-License-Identifier: MIT
//
// The common part of all processes that this package starts. process.ts and python/python-process.ts say what a child
// runs, launch.ts starts it.
import type { Readable, Writable } from 'node:stream';

import { currentRole, isBeingImported, nextIdentity } from './current-process.js';
import { limitsFrom, type WaitOptions } from '../core/deadline.js';
import type { ChildProcessError } from '../core/errors.js';
import { argumentError, BusyError, ClosedError, NotSupported } from '../core/errors.js';
import { importError } from '../core/import-context.js';
import { makeFair } from '../event-loop/fair-calls.js';
import type { RunningChild } from './running-child.js';
import { perEnvironment } from '../core/per-environment.js';
import { checkBoolean, checkTimeout } from '../core/validate.js';
import { markAsOwn } from '../reduction/shareable.js';

/** The identity that a parent gives its child. */
export interface ChildIdentity {
  readonly name: string;
  readonly identity: readonly number[];
  /** Whether it ends with its parent, and has no children for that reason. */
  readonly daemon: boolean;
  /** Whether it ends with its parent. */
  readonly endsWithParent: boolean;
}

/** The longest name of a process in a command line. */
const LONGEST_NAME = 64;

/** The argument of a child that names it, for `ps` and the command `top`. No program reads it. */
export function childLabel({ name, daemon, endsWithParent }: ChildIdentity): string {
  // A worker of a pool ends with its parent and may have children all the same.
  const kind = endsWithParent && !daemon ? 'worker' : 'process';
  return `${kind}=${name.replaceAll('\0', '').slice(0, LONGEST_NAME)}`;
}

/** A child that was started, whether it still runs or has ended. */
export interface Launched {
  readonly child: RunningChild;
  /** For a child that has ended: why it did not get to its function, or why the function failed; undefined if neither. */
  readonly failure: () => ChildProcessError | undefined;
}

/** The children of this environment that are not known to have ended. */
const children = perEnvironment('process/children', () => new Set<BaseProcess>());

/** A process that this process starts. CPython: `multiprocessing.process.BaseProcess`. */
export abstract class BaseProcess {
  readonly #identity: readonly number[];
  #name: string;
  #daemon: boolean;
  #launched: Launched | undefined;
  #closed = false;
  /** @internal Whether it may have children although it ends with this process, as the workers of a pool may. */
  mayHaveChildren = false;
  /** @internal Called once when it has ended. Does not keep the event loop alive. */
  onEnded: (() => void) | undefined;

  /** @internal */
  protected constructor(name: string | undefined, daemon: boolean | undefined) {
    markAsOwn(this);
    if (name !== undefined && typeof name !== 'string') throw argumentError('type', 'name must be a string');
    if (daemon !== undefined) checkBoolean(daemon, 'daemon');
    this.#identity = nextIdentity();
    this.#name = name ?? `Process-${this.#identity.join(':')}`;
    this.#daemon = daemon ?? currentRole().daemon;
  }

  /** @internal Starts the child, or throws and leaves nothing behind. */
  protected abstract launch(child: ChildIdentity): Launched;

  /**
   * Starts the process. On return it runs and has its own references to every argument, so the caller may close its own
   * objects at once. CPython: `start()`.
   *
   * @throws `PicklingError` or `NotSupported` with the path to an argument that cannot be passed on, `ClosedError` for
   *   a closed argument, `BusyError` if the process was started before, a system error if the process cannot be
   *   created; `NotSupported` in a daemonic process, and in a child that has not yet imported the module of its function.
   */
  start(): void {
    this.#checkOpen();
    if (this.#launched !== undefined) throw new BusyError(`${this.#name} was already started`);
    if (currentRole().daemon) throw new NotSupported('A daemonic process cannot have children: it could not end them');
    if (isBeingImported()) throw importError('start processes', 'each child would start the next one');
    const isDaemon = this.#daemon && !this.mayHaveChildren;
    this.#launched = this.launch({
      name: this.#name,
      identity: this.#identity,
      daemon: isDaemon,
      endsWithParent: this.#daemon,
    });
    children.add(this);
    this.#launched.child.afterEnd = () => {
      children.delete(this);
      this.onEnded?.();
    };
  }

  /**
   * Waits until the process has ended. CPython: `join(timeout)`.
   *
   * Resolves to true when it has ended, and to false when the time is up. Rejects with `ChildProcessError` if the
   * function was never called, whatever the exit code, or ended with an uncaught error; or with an AbortError. A process
   * that `terminate()` or `kill()` has ended before it called its function has not failed.
   *
   * @param limits A timeout in milliseconds, or options. Omitted or null: no limit.
   */
  async join(limits?: number | null | WaitOptions): Promise<boolean> {
    const checked = limitsFrom(limits);
    const launched = this.#running('join');
    return this.#joined(launched, await launched.child.join(checked));
  }

  /** As `join`, blocking. */
  joinSync(timeout?: number | null): boolean {
    const checked = checkTimeout(timeout);
    const launched = this.#running('joinSync');
    return this.#joined(launched, launched.child.joinSync(checked));
  }

  /** Asks the process to end: sends SIGTERM. CPython: `terminate()`. */
  terminate(): void {
    this.#running('terminate').child.kill('SIGTERM');
  }

  /** Ends the process at once: sends SIGKILL. CPython: `kill()`. */
  kill(): void {
    this.#running('kill').child.kill('SIGKILL');
  }

  /**
   * Releases the resources of this object. The process must have ended, or never have been started. CPython: `close()`.
   *
   * @throws `BusyError` while the process runs.
   */
  close(): void {
    if (this.#closed) return;
    if (this.isAlive()) throw new BusyError(`${this.#name} is still running: call terminate() or join() first`);
    this.#closed = true;
    children.delete(this);
    this.#launched?.child.release();
  }

  /** Whether the process has been started and has not ended. CPython: `is_alive()`. */
  isAlive(): boolean {
    this.#checkOpen();
    if (this.#launched === undefined) return false;
    if (this.#launched.child.exitcode === null) return true;
    children.delete(this);
    return false;
  }

  /** The process id, or null before `start()`. CPython: `pid`. */
  get pid(): number | null {
    this.#checkOpen();
    return this.#launched?.child.pid ?? null;
  }

  /**
   * The exit code; the negated signal number if a signal ended the process; null before `start()` and while it runs.
   * CPython: `exitcode`.
   */
  get exitcode(): number | null {
    this.#checkOpen();
    return this.#launched?.child.exitcode ?? null;
  }

  /**
   * A descriptor that becomes readable when the process has ended, for use with `wait`. It belongs to this object.
   * CPython: `sentinel`.
   *
   * @throws `NotSupported` before `start()`.
   */
  get sentinel(): number {
    return this.#running('sentinel').child.sentinel;
  }

  /** The name of the process, which only serves to identify it. CPython: `name`. */
  get name(): string {
    return this.#name;
  }

  /** Can be set before `start()`, and throws `BusyError` after it. */
  set name(name: string) {
    if (typeof name !== 'string') throw argumentError('type', 'name must be a string');
    this.#checkNew('name');
    this.#name = name;
  }

  /** Whether the process ends when this process ends; otherwise this process waits for it. CPython: `daemon`. */
  get daemon(): boolean {
    return this.#daemon;
  }

  /** Can be set before `start()`, and throws `BusyError` after it. */
  set daemon(daemon: boolean) {
    checkBoolean(daemon, 'daemon');
    this.#checkNew('daemon');
    this.#daemon = daemon;
  }

  /** Its standard input if `stdio` made it a pipe, otherwise null. */
  get stdin(): Writable | null {
    return this.#launched?.child.process.stdin ?? null;
  }

  /** Its standard output if `stdio` made it a pipe, otherwise null. */
  get stdout(): Readable | null {
    return this.#launched?.child.process.stdout ?? null;
  }

  /** Its standard error if `stdio` made it a pipe, otherwise null. */
  get stderr(): Readable | null {
    return this.#launched?.child.process.stderr ?? null;
  }

  /** @internal Why a process that has ended has failed; undefined if it has not failed. */
  get failure(): ChildProcessError | undefined {
    return this.#launched?.failure();
  }

  #joined({ failure }: Launched, ended: boolean): boolean {
    if (!ended) return false;
    children.delete(this);
    const error = failure();
    if (error !== undefined) throw error;
    return true;
  }

  #running(member: string): Launched {
    this.#checkOpen();
    if (this.#launched === undefined)
      throw new NotSupported(`${this.#name} was not started: call start() before ${member}`);
    return this.#launched;
  }

  #checkNew(member: string): void {
    this.#checkOpen();
    if (this.#launched !== undefined) throw new BusyError(`${member} can only be set before start()`);
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError('Process');
  }
}

/** The running children that this thread has started. CPython: `multiprocessing.active_children()`. */
export function activeChildren(): BaseProcess[] {
  for (const child of children) {
    if (!child.isAlive()) children.delete(child);
  }
  return [...children];
}

makeFair(BaseProcess.prototype);
