// SPDX-License-Identifier: MIT
//
// Blocking the thread. While a Sync call waits, and at the end of the process, no turn of the event loop comes in which
// accepted messages would be written, so they are written here.
import { deadlineAfter, millisecondsLeft } from '../core/deadline.js';
import { InterruptedError, systemError } from '../core/errors.js';
import { perEnvironment } from '../core/per-environment.js';
import { native, READ, WRITE } from '../native/addon.js';

/** Has messages that were accepted and not yet written. */
export interface Writer {
  readonly id: number;
  /** Writes what there is room for; never throws. */
  flush(): void;
}

const state = perEnvironment('sync-wait', () => ({
  unwritten: new Set<Writer>(),
  /** When the end of the process stops waiting for messages to be written; undefined while it is not ending. */
  exitDeadline: undefined as number | undefined,
}));

/** Every channel of this environment with unwritten messages. */
export const { unwritten } = state;

/** Signals that do not end a Sync call; the native wait keeps them pending anyway. */
const routineSignals: ReadonlySet<string> = new Set(['SIGCHLD', 'SIGWINCH', 'SIGPROF']);

/** Whether JavaScript listens for a signal, so that an interrupted Sync call must return for the listener to run. */
export function listensForSignals(): boolean {
  for (const name of process.eventNames()) {
    if (typeof name === 'string' && /^SIG[A-Z0-9]+$/.test(name) && !routineSignals.has(name)) return true;
  }
  return false;
}

/** Throws if a blocked call was interrupted by a signal that JavaScript must handle; otherwise the call goes on. */
export function checkInterrupted(status: number, operation: string): void {
  if (status === native.status.interrupted && listensForSignals()) throw new InterruptedError(operation);
}

/**
 * Blocks until one of `fds` is readable (or writable, by `interest`) or the deadline passes. Meanwhile it writes what any
 * channel has left to write. Without that, two processes could each wait for a message that the other has accepted but not
 * written.
 *
 * @returns Which of `fds` are ready; all false once the deadline has passed, or when only something was written.
 */
export function blockOn(
  fds: readonly number[],
  deadline: number,
  operation: string,
  interest = READ,
): { ready: boolean[]; expired: boolean } {
  const writers = [...unwritten];
  const triples = new Int32Array(3 * (fds.length + writers.length));
  fds.forEach((fd, i) => triples.set([fd, interest, 0], 3 * i));
  writers.forEach((writer, i) => triples.set([native.fileno(writer.id), WRITE, 0], 3 * (fds.length + i)));
  const count = native.poll(triples, millisecondsLeft(deadline));
  const isReady = (i: number): boolean => count > 0 && triples[3 * i + 2] !== 0;
  if (count === native.status.interrupted) checkInterrupted(count, operation);
  else if (count < 0) throw systemError(count, 'poll');
  writers.forEach((writer, i) => {
    if (isReady(fds.length + i)) writer.flush();
  });
  return { ready: fds.map((_, i) => isReady(i)), expired: count === 0 };
}

/** Tries to write everything that was accepted, without waiting. Precedes every Sync call. */
export function flushUnwritten(): void {
  for (const writer of unwritten) writer.flush();
}

/** Writes everything that was accepted, for at most `limitMs`. Messages that exit handlers send later are written too. */
export function writeAtExit(limitMs: number): void {
  state.exitDeadline ??= deadlineAfter(limitMs);
  flushUnwritten();
  // A signal does not end the wait, since its listener cannot run any more. Any other failure means that waiting is
  // impossible.
  while (unwritten.size > 0 && millisecondsLeft(state.exitDeadline) > 0) {
    try {
      blockOn([], state.exitDeadline, 'exit');
    } catch (error) {
      if (!(error instanceof InterruptedError)) return;
    }
  }
}

/** Whether the process is past its last turn of the event loop. */
export function isExiting(): boolean {
  return state.exitDeadline !== undefined;
}

/** Called for every message that has to wait. Once the process is ending there is no later turn to write it in. */
export function writeNowIfExiting(): void {
  if (state.exitDeadline !== undefined) writeAtExit(0);
}
