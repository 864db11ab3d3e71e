// SPDX-License-Identifier: MIT
//
// A child process from its start to its end, whatever language it is in: how it has ended, and waiting for that.
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { constants } from 'node:os';

import { startLimits, type Limits } from '../core/deadline.js';
import { systemError, TimeoutError } from '../core/errors.js';
import { native } from '../native/addon.js';
import { waitForConnectionsSync } from '../connection/wait.js';

const { processes, status: codes } = native;

/** The exit code as CPython tells it: negative for the signal that ended the process. */
function exitcodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  return signal === null ? (code ?? 0) : -constants.signals[signal];
}

/** Closes sentinels whose child was collected. */
const collected = new FinalizationRegistry<number>((fd) => {
  native.closeDescriptor(fd);
});

/** Daemons of this environment that run. */
const daemons = new Set<RunningChild>();

/** How long a daemon may take to end by itself when its parent ends, in milliseconds. */
const GRACE_MS = 2000;

/**
 * Ends the daemons, as the last thing that their parent does. They would end by themselves when it is gone; but then one of
 * them could be the last member of the family, killed before it has removed the names of the semaphores.
 */
export function endDaemons(): void {
  for (const daemon of daemons) daemon.kill('SIGTERM');
  for (const daemon of daemons) {
    if (daemon.endsWithin(GRACE_MS)) continue;
    daemon.kill('SIGKILL');
    daemon.endsWithin(GRACE_MS);
  }
}

export class RunningChild {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly #daemon: boolean;
  readonly #onEnd: () => void;
  #exitcode: number | undefined;
  #sentinel = -1;
  /** Those who wait for the end. */
  readonly #waiting = new Set<() => void>();
  #afterEnd: (() => void) | undefined;

  /**
   * @param daemon Whether the event loop may end before the child.
   * @param onEnd Called once, when the child is known to have ended and before anybody else learns of it.
   * @param channel A descriptor whose end would tell the child that its parent has ended; -1 for none. A worker that ends
   *   is no such end, so a copy outlives it.
   */
  constructor(process: ChildProcess, pid: number, daemon: boolean, onEnd: () => void, channel = -1) {
    this.process = process;
    this.pid = pid;
    this.#daemon = daemon;
    this.#onEnd = onEnd;
    const status = native.isMainThread ? 0 : processes.started(pid, channel);
    if (status < 0) {
      process.kill('SIGKILL');
      throw systemError(status, 'fcntl');
    }
    if (daemon) {
      daemons.add(this);
      process.unref();
      for (const stream of process.stdio) (stream as Socket | null | undefined)?.unref();
    }
    process.once('exit', (code, signal) => {
      this.#end(exitcodeOf(code, signal));
    });
  }

  /** Has something done when the child has ended, which keeps nothing alive. */
  set afterEnd(callback: () => void) {
    if (this.#exitcode === undefined) this.#afterEnd = callback;
    else callback();
  }

  /** Null while it runs. Asks the system, so that it is right also between two turns of the event loop. */
  get exitcode(): number | null {
    if (this.#exitcode === undefined) this.#look();
    return this.#exitcode ?? null;
  }

  /** A descriptor that is readable once the child has ended; it is closed by `release`. */
  get sentinel(): number {
    if (this.#sentinel >= 0) return this.#sentinel;
    this.#sentinel = this.#exitcode === undefined ? processes.open(this.pid) : -codes.again;
    // Who has ended already may have been reaped, and then its number may be somebody else's.
    if (this.#exitcode !== undefined || this.#sentinel < 0) this.#sentinel = this.#endedSentinel();
    collected.register(this, this.#sentinel, this);
    return this.#sentinel;
  }

  kill(signal: NodeJS.Signals): void {
    // Until it is reaped its number is its own, and Node reaps in the event loop only.
    if (this.exitcode === null) this.process.kill(signal);
  }

  /** False when the time is up. */
  async join(limits: Limits): Promise<boolean> {
    if (this.exitcode !== null) return true;
    if (limits.timeout <= 0) return false;
    this.process.ref();
    return new Promise<boolean>((resolve, reject) => {
      const finish = (settle: () => void): void => {
        cancel();
        this.#waiting.delete(ended);
        if (this.#daemon && this.#waiting.size === 0) this.process.unref();
        settle();
      };
      const ended = (): void => {
        finish(() => {
          resolve(true);
        });
      };
      this.#waiting.add(ended);
      const cancel = startLimits(
        limits,
        true,
        () => new TimeoutError('join'),
        (error) => {
          finish(() => {
            if (error instanceof TimeoutError) resolve(this.exitcode !== null);
            else reject(error);
          });
        },
      );
    });
  }

  /** As `join`, blocking. */
  joinSync(timeout: number): boolean {
    if (this.exitcode !== null) return true;
    const wasOpen = this.#sentinel >= 0;
    try {
      return waitForConnectionsSync([this.sentinel], timeout).length > 0 && this.exitcode !== null;
    } finally {
      if (!wasOpen) this.release();
    }
  }

  /** As `joinSync`, for the end of this process: whatever goes wrong only means that the child is not waited for. */
  endsWithin(timeout: number): boolean {
    try {
      return this.joinSync(timeout);
    } catch {
      return false;
    }
  }

  /** Gives up the sentinel. */
  release(): void {
    if (this.#sentinel < 0) return;
    collected.unregister(this);
    native.closeDescriptor(this.#sentinel);
    this.#sentinel = -1;
  }

  #look(): void {
    const found = processes.end(this.pid);
    // What somebody else has reaped is told by the event.
    if (found < 0) return;
    this.#end(found >= processes.killedBy ? processes.killedBy - found : found);
  }

  #end(exitcode: number): void {
    if (this.#exitcode !== undefined) return;
    this.#exitcode = exitcode;
    daemons.delete(this);
    if (!native.isMainThread) processes.ended(this.pid);
    this.#onEnd();
    this.#afterEnd?.();
    for (const ended of [...this.#waiting]) ended();
  }

  /** The reading end of a pipe without writers. */
  #endedSentinel(): number {
    if (this.#exitcode === undefined) this.#look();
    if (this.#exitcode === undefined) throw systemError(this.#sentinel, 'pidfd_open');
    const ids = new Int32Array(2);
    const made = native.makePair(false, ids, 0, false);
    if (made < 0) throw systemError(made, 'pipe');
    const [reader, writer] = ids as unknown as [number, number];
    const copy = native.duplicate(native.fileno(reader));
    native.release(reader);
    native.release(writer);
    if (copy < 0) throw systemError(copy, 'fcntl');
    return copy;
  }
}
