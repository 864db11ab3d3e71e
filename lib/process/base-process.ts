// SPDX-License-Identifier: MIT
//
// What all processes that this package starts have in common. How a child is launched is in process.ts and its relatives.
import type { Readable, Writable } from 'node:stream';

import { currentRole, nextIdentity } from './current-process.js';
import { limitsFrom, type WaitOptions } from '../core/deadline.js';
import type { ChildProcessError } from '../core/errors.js';
import { argumentError, BusyError, ClosedError, NotSupported } from '../core/errors.js';
import type { RunningChild } from './running-child.js';
import { perEnvironment } from '../core/per-environment.js';
import { checkBoolean, checkTimeout } from '../core/validate.js';

/** What a child is told about itself. */
export interface ChildIdentity {
  readonly name: string;
  readonly identity: readonly number[];
  readonly daemon: boolean;
}

/** A child that runs, or has run. */
export interface Launched {
  readonly child: RunningChild;
  /** Why the child could not do what it was started for; undefined if nothing is known of that. */
  readonly failure: () => ChildProcessError | undefined;
}

/** Children that this environment has started and not found to have ended. */
const children = perEnvironment('process/children', () => new Set<BaseProcess>());

/** A process that this one starts. CPython: `multiprocessing.process.BaseProcess`. */
export abstract class BaseProcess {
  readonly #identity: readonly number[];
  #name: string;
  #daemon: boolean;
  #launched: Launched | undefined;
  #closed = false;

  /** @internal */
  protected constructor(name: string | undefined, daemon: boolean | undefined) {
    if (name !== undefined && typeof name !== 'string') throw argumentError('type', 'name must be a string');
    if (daemon !== undefined) checkBoolean(daemon, 'daemon');
    this.#identity = nextIdentity();
    this.#name = name ?? `Process-${this.#identity.join(':')}`;
    this.#daemon = daemon ?? currentRole().daemon;
  }

  /** @internal Starts the child, or throws and leaves nothing behind. */
  protected abstract launch(child: ChildIdentity): Launched;

  /**
   * Starts the process. When this returns it runs, and every argument belongs to it too: the caller may close its own
   * objects at once. CPython: `start()`.
   *
   * @throws `PicklingError` or `NotSupported` with the path to an argument that cannot be passed on, `ClosedError` for one
   *   that is closed, `BusyError` if it was started before, a system error if there can be no process.
   */
  start(): void {
    this.#checkOpen();
    if (this.#launched !== undefined) throw new BusyError(`${this.#name} was started before`);
    if (currentRole().daemon) throw new NotSupported('A daemonic process cannot start others: it could not end them');
    this.#launched = this.launch({ name: this.#name, identity: this.#identity, daemon: this.#daemon });
    children.add(this);
    this.#launched.child.afterEnd = () => {
      children.delete(this);
    };
  }

  /**
   * Waits until the process has ended. CPython: `join(timeout)`.
   *
   * Resolves to true then, to false when the time is up. Rejects with `ChildProcessError` if what it was to do could not be
   * found, or failed with an error that nobody caught; or with an AbortError.
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

  /** Asks the process to end, with SIGTERM. CPython: `terminate()`. */
  terminate(): void {
    this.#running('terminate').child.kill('SIGTERM');
  }

  /** Ends the process at once, with SIGKILL. CPython: `kill()`. */
  kill(): void {
    this.#running('kill').child.kill('SIGKILL');
  }

  /**
   * Gives up what this object holds of a process that has ended, or was never started. CPython: `close()`.
   *
   * @throws `BusyError` while it runs.
   */
  close(): void {
    if (this.#closed) return;
    if (this.isAlive()) throw new BusyError(`${this.#name} is still running: terminate() or join() it first`);
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

  /** Its number, or null before it is started. CPython: `pid`. */
  get pid(): number | null {
    this.#checkOpen();
    return this.#launched?.child.pid ?? null;
  }

  /**
   * Its exit code; the negative number of the signal that ended it; null while it runs or was not started. CPython:
   * `exitcode`.
   */
  get exitcode(): number | null {
    this.#checkOpen();
    return this.#launched?.child.exitcode ?? null;
  }

  /**
   * A descriptor that is ready, for `wait`, when the process has ended. It belongs to this object. CPython: `sentinel`.
   *
   * @throws `NotSupported` before it is started.
   */
  get sentinel(): number {
    return this.#running('sentinel').child.sentinel;
  }

  /** Its name, which has no meaning but to tell it apart. CPython: `name`. */
  get name(): string {
    return this.#name;
  }

  /** Until it is started. Throws `BusyError` after that. */
  set name(name: string) {
    if (typeof name !== 'string') throw argumentError('type', 'name must be a string');
    this.#checkNew('name');
    this.#name = name;
  }

  /** Whether it ends when this process ends; else this process waits for it. CPython: `daemon`. */
  get daemon(): boolean {
    return this.#daemon;
  }

  /** Until it is started. Throws `BusyError` after that. */
  set daemon(daemon: boolean) {
    checkBoolean(daemon, 'daemon');
    this.#checkNew('daemon');
    this.#daemon = daemon;
  }

  /** Its standard input, if `stdio` has made it a pipe. */
  get stdin(): Writable | null {
    return this.#launched?.child.process.stdin ?? null;
  }

  /** Its standard output, if `stdio` has made it a pipe. */
  get stdout(): Readable | null {
    return this.#launched?.child.process.stdout ?? null;
  }

  /** Its standard error, if `stdio` has made it a pipe. */
  get stderr(): Readable | null {
    return this.#launched?.child.process.stderr ?? null;
  }

  #joined({ child, failure }: Launched, ended: boolean): boolean {
    if (!ended) return false;
    children.delete(this);
    const error = failure();
    // A program that has caught the error itself and ended well has not failed.
    if (error !== undefined && child.exitcode !== 0) throw error;
    return true;
  }

  #running(member: string): Launched {
    this.#checkOpen();
    if (this.#launched === undefined) throw new NotSupported(`${member} needs a process that was started`);
    return this.#launched;
  }

  #checkNew(member: string): void {
    this.#checkOpen();
    if (this.#launched !== undefined) throw new BusyError(`${member} cannot be set once the process was started`);
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError('Process');
  }
}

/** The children of this thread that are running. CPython: `multiprocessing.active_children()`. */
export function activeChildren(): BaseProcess[] {
  for (const child of children) {
    if (!child.isAlive()) children.delete(child);
  }
  return [...children];
}
