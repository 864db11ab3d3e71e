// SPDX-License-Identifier: MIT
//
// This environment's side of the event loop: who is told when a descriptor is ready, what keeps the loop alive, how many
// operations may complete before the loop gets a turn, and which channels have something left to write.

import { deadlineAfter, millisecondsLeft } from '../core/deadline.js';
import { InterruptedError, systemError } from '../core/errors.js';
import { native, READ, WRITE } from '../native/addon.js';

/** Told that what it waits for may now be tried, again and again until it waits for something else. */
export interface Pollable {
  readonly id: number;
  onReady(interest: number): void;
}

/** Has messages that were accepted and not yet written. */
export interface Writer {
  readonly id: number;
  /** Writes what there is room for; never throws. */
  flush(): void;
}

/** What exists once per environment. */
interface State {
  readonly events: Int32Array;
  readonly pollables: Map<number, Pollable>;
  readonly unwritten: Set<Writer>;
  /** How many channels want the event loop to look for messages for how long before it sleeps. */
  readonly spins: Map<number, number>;
  /** The longest of these times. */
  spinNs: number;
  started: boolean;
  references: number;
  /** When the end of the process stops waiting for messages to be written; undefined while it is not ending. */
  exitDeadline: number | undefined;
}

/**
 * These modules may be evaluated more than once over one addon, by a test runner or a reloading server. They share the
 * poller and the numbers of the endpoints, so they must share this too.
 */
const holder = native as { state?: State };
const state: State = (holder.state ??= {
  events: new Int32Array(2 * 64),
  pollables: new Map(),
  unwritten: new Set(),
  spins: new Map(),
  spinNs: 0,
  started: false,
  references: 0,
  exitDeadline: undefined,
});

/** Every channel of this environment with unwritten messages. */
export const { unwritten } = state;

function onReady(count: number): void {
  const { events, pollables } = state;
  for (let i = 0; i < count; i++) {
    const pollable = pollables.get(events[2 * i] as number);
    pollable?.onReady(events[2 * i + 1] as number);
  }
}

/** Starts the poller with the first endpoint, so that importing the package alone costs the event loop nothing. */
export function ensureStarted(): void {
  if (state.started) return;
  const status = native.start(native.isMainThread, onReady, state.events);
  if (status < 0) throw systemError(status, 'uv_poll_init');
  state.started = true;
  // A Client waits before it has an endpoint.
  native.setRef(state.references > 0);
}

/**
 * Makes `pollable` be told whenever `interest` is possible. Replaces what was armed for its id; with 0 it is told no more
 * and may be collected.
 *
 * @returns Why that is impossible (ENOSPC: too many watched descriptors), or undefined.
 */
export function arm(pollable: Pollable, interest: number): Error | undefined {
  if (interest === 0) state.pollables.delete(pollable.id);
  else state.pollables.set(pollable.id, pollable);
  const status = native.arm(pollable.id, interest);
  // A file that cannot be watched is always ready.
  if (status === native.status.notWatchable) setImmediate(() => pollable.onReady(interest));
  else if (status < 0) return systemError(status, 'epoll_ctl');
  return undefined;
}

/** Counts what keeps the event loop alive. A Connection's pending operations do so unless it was unref'd. */
export class Hold {
  #pending = 0;
  #on = true;

  begin(): void {
    this.#pending++;
    if (this.#on) changeReferences(1);
  }

  end(): void {
    this.#pending--;
    if (this.#on) changeReferences(-1);
  }

  /** Whether pending operations keep the event loop alive. */
  get on(): boolean {
    return this.#on;
  }

  set on(on: boolean) {
    if (on === this.#on) return;
    this.#on = on;
    changeReferences(on ? this.#pending : -this.#pending);
  }
}

function changeReferences(change: number): void {
  const before = state.references;
  state.references += change;
  if (before > 0 !== state.references > 0) native.setRef(state.references > 0);
}

/**
 * Has the event loop look for messages for `ns` nanoseconds each time before it sleeps, until the wish is taken back. The
 * longest of all such times counts.
 *
 * @param on Whether this is the wish, or takes an earlier one back.
 */
export function spinBeforeSleep(ns: number, on: boolean): void {
  const { spins } = state;
  const count = (spins.get(ns) ?? 0) + (on ? 1 : -1);
  if (count > 0) spins.set(ns, count);
  else spins.delete(ns);
  const longest = Math.max(0, ...spins.keys());
  if (longest === state.spinNs) return;
  state.spinNs = longest;
  // Without handles for it the loop sleeps at once, which is slower and not wrong.
  native.setSpin(longest);
}

/** How many operations, or pieces of 64 KiB, may complete at once before the next one waits for a turn of the loop. */
const TURNS = 64;
let turns = TURNS;

/**
 * Whether an operation may be tried at once. An endless loop of awaits that never have to wait would otherwise keep timers
 * and everybody else's I/O from running.
 */
export function takeTurn(): boolean {
  if (turns > 0) {
    turns--;
    return true;
  }
  turns = TURNS;
  return false;
}

/** Signals of which a Sync call takes no notice; the native wait keeps them pending anyway. */
const routineSignals: ReadonlySet<string> = new Set(['SIGCHLD', 'SIGWINCH', 'SIGPROF']);

/** Whether JavaScript waits for a signal, so that an interrupted Sync call must return for its listener to run. */
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
 * Blocks until one of `fds` is readable (or writable, by `interest`) or the deadline passes, and meanwhile writes what any channel has left to write.
 * Without that, two processes could each wait for a message that the other has accepted but not written.
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

/** Writes everything that was accepted, for at most `limitMs`, and from now on whatever is sent by those who end later. */
export function writeAtExit(limitMs: number): void {
  state.exitDeadline ??= deadlineAfter(limitMs);
  flushUnwritten();
  // A signal does not end the wait, since its listener cannot run any more; that the wait cannot go on does.
  while (unwritten.size > 0 && millisecondsLeft(state.exitDeadline) > 0) {
    try {
      blockOn([], state.exitDeadline, 'exit');
    } catch (error) {
      if (!(error instanceof InterruptedError)) return;
    }
  }
}

/** Called for every message that has to wait. Once the process is ending there is no later turn to write it in. */
export function writeNowIfExiting(): void {
  if (state.exitDeadline !== undefined) writeAtExit(0);
}
