// SPDX-License-Identifier: MIT
//
// A child process of any language, from its start to its end: its exit code, and waiting for its end.
import type { ChildProcess } from 'node:child_process';
import { readSync } from 'node:fs';
import type { Socket } from 'node:net';
import { constants } from 'node:os';

import { deadlineAfter, millisecondsLeft, type Limits } from '../core/deadline.js';
import { systemError, TimeoutError } from '../core/errors.js';
import { perEnvironment } from '../core/per-environment.js';
import { descriptorSource, watch } from '../connection/wait-sources.js';
import { atExit } from '../event-loop/exit.js';
import { PendingCall, type CallKeeper } from '../event-loop/pending-call.js';
import { blockOn, flushUnwritten } from '../event-loop/sync-wait.js';
import { native } from '../native/addon.js';
import { DAEMON_GRACE_MS } from './options.js';

const { processes, status: codes } = native;

/**
 * The exit code as CPython defines it: the negated signal number if a signal ended the process. Real-time signals have no
 * names in Node, which reports them as exit code 0: see `RunningChild.ending`.
 */
function exitcodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  return signal === null ? (code ?? 0) : -constants.signals[signal];
}

/** Closes the sentinels of children whose objects were garbage collected. */
const collected = new FinalizationRegistry<number>((fd) => {
  native.closeDescriptor(fd);
});

/** A pipe from which this process reads the output of a child, and the stream that it has for it. */
interface Output {
  readonly fd: number;
  readonly stream: Socket;
}

/** The outputs of a child that are still open. */
function outputsOf(process: ChildProcess): Output[] {
  return process.stdio.slice(1).flatMap((stream) => {
    // Node has no public name for the descriptor of a stream.
    const { _handle: handle } = (stream ?? {}) as { _handle?: { fd?: number } | null };
    const fd = handle?.fd ?? -1;
    return fd >= 0 && (stream as Socket).readable ? [{ fd, stream: stream as Socket }] : [];
  });
}

/** Moves what a pipe holds to its stream, whose event loop is blocked. Returns false at the end of data. */
function readOnce({ fd, stream }: Output): boolean {
  const buffer = Buffer.allocUnsafe(64 * 1024);
  try {
    const count = readSync(fd, buffer);
    // The event loop will find the end of data, too.
    if (count === 0) return false;
    stream.push(buffer.subarray(0, count));
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN';
  }
}

/** The running daemons of this environment. */
const daemons = perEnvironment('process/daemons', () => new Set<RunningChild>());

/**
 * Ends the daemons, as the last step of the exit of their parent. Daemons also end by themselves once the parent is
 * gone, but then one of them could be the last member of the family, killed before it has removed the names of the
 * semaphores.
 */
function endDaemons(): void {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (const daemon of daemons) daemon.kill(signal);
    // One deadline for all of them.
    const deadline = deadlineAfter(DAEMON_GRACE_MS);
    for (const daemon of [...daemons]) daemon.endsWithin(millisecondsLeft(deadline));
  }
}

/** A child process that was started. */
export class RunningChild {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly #daemon: boolean;
  readonly #onEnd: () => void;
  #exitcode: number | undefined;
  /** The exit code of a child that was seen to have ended before Node reports it. */
  #seen: number | undefined;
  #stopWatching = (): void => undefined;
  #sentinel = -1;
  /** The calls that wait for the end. */
  readonly #waiting = new Set<PendingCall<boolean>>();
  /** Keeps the event loop alive while a call waits: of a daemon no other thing does. */
  readonly #keeper: CallKeeper = {
    on: true,
    begin: () => this.process.ref(),
    end: () => {
      if (this.#daemon && this.#waiting.size === 0) this.process.unref();
    },
  };
  #afterEnd: (() => void) | undefined;

  /**
   * @param daemon Whether the event loop may end before the child.
   * @param onEnd Called once, when the child is known to have ended and before any caller is told.
   * @param channel A descriptor whose closing would tell the child that its parent has ended; -1 for none. The end of a
   *   worker must not close it, so a copy outlives the worker.
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
      if (native.isMainThread) atExit('children', endDaemons);
      process.unref();
      for (const stream of process.stdio) (stream as Socket | null | undefined)?.unref();
    }
    process.once('exit', (code, signal) => {
      this.#end(this.#seen ?? exitcodeOf(code, signal));
    });
  }

  /**
   * Called when the child seems to be about to end. Asks the system for the exit code as soon as there is one, and so before
   * Node reaps the child: the event loop serves descriptors before signals.
   */
  ending(): void {
    if (this.#exitcode !== undefined) return;
    this.#seen = this.#ask();
    const fd = this.#seen === undefined ? processes.open(this.pid) : -1;
    if (fd < 0) return;
    try {
      this.#stopWatching = watch(descriptorSource(fd), () => {
        this.#seen = this.#ask();
        this.#stopWatching();
      });
    } catch {
      // Without a descriptor for it, what Node reports must do.
    } finally {
      native.closeDescriptor(fd);
    }
  }

  /** Called when the child has ended, at once if it has ended already. It does not keep the event loop alive. */
  set afterEnd(callback: () => void) {
    if (this.#exitcode === undefined) this.#afterEnd = callback;
    else callback();
  }

  /** Null while the child runs. Asks the system, so the answer is right between two turns of the event loop too. */
  get exitcode(): number | null {
    if (this.#exitcode === undefined) this.#look();
    return this.#exitcode ?? null;
  }

  /** A descriptor that is readable once the child has ended. `release` closes it. */
  get sentinel(): number {
    if (this.#sentinel >= 0) return this.#sentinel;
    this.#sentinel = this.#exitcode === undefined ? processes.open(this.pid) : -codes.again;
    // A child that has ended may have been reaped, and then its pid may belong to another process.
    if (this.#exitcode !== undefined || this.#sentinel < 0) this.#sentinel = this.#endedSentinel();
    collected.register(this, this.#sentinel, this);
    return this.#sentinel;
  }

  /** Whether this process has asked the child to end. */
  get killed(): boolean {
    return this.process.killed;
  }

  kill(signal: NodeJS.Signals): void {
    // Until the child is reaped its pid cannot be reused, and Node reaps in the event loop only.
    if (this.exitcode === null) this.process.kill(signal);
  }

  /** Resolves to false when the time is up. */
  async join(limits: Limits): Promise<boolean> {
    if (this.exitcode !== null) return true;
    if (limits.timeout <= 0) return false;
    const call = new PendingCall<boolean>(this.#keeper);
    this.#waiting.add(call);
    call.onEnd = () => this.#waiting.delete(call);
    const timeoutError = (): Error => new TimeoutError('join');
    call.limit(limits, timeoutError, (error) => {
      if (error instanceof TimeoutError) call.resolve(this.exitcode !== null);
    });
    return await call.promise;
  }

  /**
   * As `join`, blocking. Meanwhile it reads what the child writes to pipes of this process: a child that waits for room in a
   * full pipe would not end.
   */
  joinSync(timeout: number): boolean {
    if (this.exitcode !== null) return true;
    const wasOpen = this.#sentinel >= 0;
    try {
      const outputs = outputsOf(this.process);
      const deadline = deadlineAfter(timeout);
      flushUnwritten();
      for (;;) {
        const { ready, expired } = blockOn([this.sentinel, ...outputs.map(({ fd }) => fd)], deadline, 'join');
        if (ready[0] === true) return this.exitcode !== null;
        if (expired) return false;
        for (let i = outputs.length; i > 0; i--) {
          if (ready[i] === true && !readOnce(outputs[i - 1] as Output)) outputs.splice(i - 1, 1);
        }
      }
    } finally {
      if (!wasOpen) this.release();
    }
  }

  /** As `joinSync`, for the exit of this process: if the wait fails, the child is not waited for. */
  endsWithin(timeout: number): boolean {
    try {
      return this.joinSync(timeout);
    } catch {
      return false;
    }
  }

  /** Closes the sentinel. */
  release(): void {
    if (this.#sentinel < 0) return;
    collected.unregister(this);
    native.closeDescriptor(this.#sentinel);
    this.#sentinel = -1;
  }

  /** The exit code of a child that has ended and was not reaped. */
  #ask(): number | undefined {
    const found = processes.end(this.pid);
    // If the child was reaped elsewhere, the 'exit' event reports its end.
    if (found < 0) return undefined;
    return found >= processes.killedBy ? processes.killedBy - found : found;
  }

  #look(): void {
    // Node may have reaped it already, together with another child, and report that in a moment.
    const found = this.#seen ?? this.#ask();
    if (found !== undefined) this.#end(found);
  }

  #end(exitcode: number): void {
    if (this.#exitcode !== undefined) return;
    this.#exitcode = exitcode;
    this.#stopWatching();
    daemons.delete(this);
    if (!native.isMainThread) processes.ended(this.pid);
    this.#onEnd();
    this.#afterEnd?.();
    for (const call of [...this.#waiting]) call.resolve(true);
  }

  /** A sentinel for a child that has ended: the read end of a pipe without writers. */
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
