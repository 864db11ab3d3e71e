// SPDX-License-Identifier: MIT
//
// Requests to other threads of the process, and how their outcome comes back to this environment's event loop.
import { systemError } from '../core/errors.js';
import { perEnvironment } from '../core/per-environment.js';
import { native, READ } from '../native/addon.js';
import { arm, ensureStarted, type Pollable } from './reactor.js';
import { blockOn } from './sync-wait.js';

const semaphores = native.semaphores;

const state = perEnvironment('completions', () => ({
  requests: new Map<number, (status: number) => void>(),
  pairs: new Int32Array(2 * 64),
  /** The number of the next request. */
  next: 1,
  /** The id of the descriptor that is readable while completions are to be fetched. */
  id: -1,
}));

/** Passes every outcome that has arrived to its request. */
function dispatchCompletions(): void {
  for (;;) {
    const count = semaphores.takeCompletions(state.pairs);
    // Copied first: a request's callback may come back here.
    const taken = state.pairs.slice(0, 2 * count);
    for (let i = 0; i < count; i++) {
      const request = taken[2 * i] as number;
      const settle = state.requests.get(request);
      state.requests.delete(request);
      settle?.(taken[2 * i + 1] as number);
    }
    if (count < state.pairs.length / 2) return;
  }
}

const pollable: Pollable = {
  get id() {
    return state.id;
  },
  onReady: dispatchCompletions,
};

/** Makes what later requests need, besides the threads that serve them. */
export function ensureListening(): void {
  if (state.id >= 0) return;
  ensureStarted();
  const id = semaphores.completions();
  if (id < 0) throw systemError(id, 'pipe');
  state.id = id;
  const failure = arm(pollable, READ);
  if (failure === undefined) return;
  native.release(id);
  state.id = -1;
  throw failure;
}

/** Something that other threads of the process can be asked for. */
export interface Background {
  /** Asks under this number: 0, or -errno. */
  start(request: number): number;
  cancel(request: number): void;
  /** The error for what `start` returns. */
  error(status: number): Error;
}

/**
 * Asks for something in the background. `settle` is called once, with the outcome.
 *
 * @returns What ends the request: `settle` is not called any more.
 */
export function request(background: Background, settle: (status: number) => void): () => void {
  ensureListening();
  const number = state.next;
  state.next = number === 0x7fffffff ? 1 : number + 1;
  const status = background.start(number);
  if (status < 0) throw background.error(status);
  state.requests.set(number, settle);
  return () => {
    if (state.requests.delete(number)) background.cancel(number);
  };
}

/**
 * As `request`, blocking.
 *
 * @param alsoFds Descriptors that end the wait too when one of them is readable.
 * @returns The outcome; `timedOut` at the deadline; `again` if one of `alsoFds` has ended the wait.
 */
export function requestSync(
  background: Background,
  deadline: number,
  operation: string,
  alsoFds: readonly number[] = [],
): number {
  let outcome: number | undefined;
  const cancel = request(background, (status) => {
    outcome = status;
  });
  try {
    const fds = [native.fileno(state.id), ...alsoFds];
    for (;;) {
      const { ready, expired } = blockOn(fds, deadline, operation);
      dispatchCompletions();
      if (outcome !== undefined) return outcome;
      if (expired) return native.status.timedOut;
      if (ready.includes(true, 1)) return native.status.again;
    }
  } finally {
    cancel();
  }
}
