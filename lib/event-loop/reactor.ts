// SPDX-License-Identifier: MIT
//
// This environment's side of the event loop: what is called when a descriptor is ready, how much may be done before the
// loop gets a turn, and for how long the loop looks for messages before it sleeps.
import { systemError } from '../core/errors.js';
import { perEnvironment } from '../core/per-environment.js';
import { native } from '../native/addon.js';
import { pollerStarted } from './keep-alive.js';
import { setImmediate } from '../core/own-turns.js';

/** Called whenever what it waits for may be tried, until it waits for something else. */
export interface Pollable {
  readonly id: number;
  onReady(interest: number): void;
}

/** How many operations may complete at once before the next one waits for a turn of the event loop. */
export const OPERATIONS_PER_TURN = 64;

/** How many bytes of large messages are moved in one turn of the event loop. */
export const BYTES_PER_TURN = 1024 * 1024;

/** How long one channel goes on with what is there, in milliseconds, before the other work of the loop gets its turn. */
export const TURN_MS = 1;

const state = perEnvironment('reactor', () => ({
  events: new Int32Array(2 * 64),
  pollables: new Map<number, Pollable>(),
  started: false,
  /** How many channels want the event loop to look for messages for how long before it sleeps. */
  spins: new Map<number, number>(),
  /** The longest of these times. */
  spinNs: 0,
  /** How many operations may still complete before the next turn. */
  operationsLeft: OPERATIONS_PER_TURN,
  /** How many operations were counted. */
  operations: 0,
}));

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
  pollerStarted();
}

/**
 * Calls `onReady` of `pollable` whenever `interest` is possible. Replaces what was armed for its id; with 0 it is called no
 * more and may be collected.
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

/**
 * Asks the event loop to look for messages for `ns` nanoseconds each time before it sleeps, or takes such a wish back. The
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

/**
 * Whether an operation may be tried at once. An endless loop of awaits that never have to wait would otherwise keep timers
 * and all other I/O from running.
 */
export function takeTurn(): boolean {
  state.operations++;
  if (state.operationsLeft > 0) {
    state.operationsLeft--;
    return true;
  }
  state.operationsLeft = OPERATIONS_PER_TURN;
  return false;
}

/** How many messages that are in memory already count as one operation, as far as their bytes do not count for more. */
const MESSAGES_PER_OPERATION = 4;

/** As `takeTurn`, for a message of so many bytes that is in memory already. */
export function takeShare(bytes: number): boolean {
  if (state.operationsLeft <= 0) return false;
  state.operations++;
  const share = bytes * (OPERATIONS_PER_TURN / BYTES_PER_TURN);
  state.operationsLeft -= share > 1 / MESSAGES_PER_OPERATION ? share : 1 / MESSAGES_PER_OPERATION;
  return true;
}

/** Counts bytes of large messages: an operation that moves many takes a larger share of the turn. */
export function countBytes(bytes: number): void {
  const share = Math.floor((bytes * OPERATIONS_PER_TURN) / BYTES_PER_TURN);
  if (share > 0) state.operationsLeft = Math.max(0, state.operationsLeft - share);
}

/** Counts an operation that waits. It needs no turn: other work goes on until it has its answer. */
export function countWait(): void {
  state.operations++;
}

/** How many operations were counted so far. */
export function operations(): number {
  return state.operations;
}
